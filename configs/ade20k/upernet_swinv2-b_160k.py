# UperNet on Swin V2-B, 160 000 iterations at 512 px, batch 16.
# Values: Swin-Transformer-Semantic-Segmentation,
# configs/swin/upernet_swin_base_patch4_window7_512x512_160k_ade20k.py.
# Windows are those of the ImageNet fine-tuning; no segmentor of Swin V2 is published with SimMIM.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swinv2-b.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "swinv2-b"

model = dict(
    backbone=dict(
        _base_.swinv2_b,
        img_size=512,
        window_size=[14, 14, 14, 7],
        pretrained_window_sizes=[12, 12, 12, 6],
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=512),
    auxiliary_head=dict(in_channels=512),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16
