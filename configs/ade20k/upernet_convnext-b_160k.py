# UperNet on ConvNeXt-B, 160 000 iterations at 512 px, batch 16.
# Values: ConvNeXt, semantic_segmentation/configs/convnext/
# upernet_convnext_base_512_160k_ade20k_ss.py. Its layer decay of 0.9 is by stage; ours is by its
# detectors' twelve groups of blocks.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/convnext-b.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k-slide.py",
]
default_scope = "mmseg"
backbone_name = "convnext-b"

model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(512, 512))),  # pads smaller images
    backbone=dict(
        _base_.convnext_b,
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.4,
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=512),
    auxiliary_head=dict(in_channels=512),
    test_cfg=dict(mode="slide", crop_size=(512, 512), stride=(341, 341)),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: the same config: use_fp16
    paramwise_cfg=dict(layer_decay=0.9),
    optimizer=dict(lr=1e-4, weight_decay=0.05),
)
