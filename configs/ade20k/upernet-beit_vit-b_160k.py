# UperNet on ViT-B as BEiT has it, with BEiT's learning rate of 7e-4, 160 000 iterations at 512 px,
# batch 16. upernet_vit-b_160k.py is the same with MAE's rate, 1e-4.
# Values: https://github.com/microsoft/unilm/blob/master/beit/semantic_segmentation/configs/beit/
# upernet/upernet_beit_base_12_512_slide_160k_ade20k_pt.py#L53-L77. Position biases do not decay, as
# in SimMIM's fine-tuning; there they do.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/vit-b.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k-slide.py",
]
default_scope = "mmseg"
backbone_name = "vit-b"
protocol = dict(id="ade20k-upernet-160k-slide-lr7e-4", version=1)

model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(512, 512))),  # pads smaller images
    backbone=dict(
        _base_.vit_b,
        img_size=512,
        drop_path_rate=0.1,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="featmap",
        out_indices=[3, 5, 7, 11],
    ),
    neck=dict(
        type="Feature2Pyramid",
        embed_dim=768,
        rescales=[4, 2, 1, 0.5],
        norm_cfg=dict(type="SyncBN", requires_grad=True),
    ),
    decode_head=dict(in_channels=[768, 768, 768, 768], channels=768),
    auxiliary_head=dict(in_channels=768),
    test_cfg=dict(mode="slide", crop_size=(512, 512), stride=(341, 341)),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: use_fp16
    paramwise_cfg=dict(layer_decay=0.65),
    optimizer=dict(lr=7e-4, weight_decay=0.05),
)
