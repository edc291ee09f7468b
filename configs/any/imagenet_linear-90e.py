# Linear probe of any backbone at 224 px, MAE's recipe on averaged features, batch 16384.
# Values: https://arxiv.org/abs/2111.06377, table 10; https://github.com/facebookresearch/mae,
# main_linprobe.py, as in imagenet/swin-b_8xb2048_linear-90e.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/any.py",
    "../_base_/models/linear-probe.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_linear-90e.py",
    "../_base_/protocols/imagenet-linear-224-90e.py",
]
default_scope = "mmpretrain"
backbone_name = "any"
backbone_init = "original"

model = dict(backbone=dict(_base_.of_weights, img_size=224), head=dict(in_channels=0))
by_backbone = _base_.no_drop_path
train_dataloader = dict(
    batch_size=2048,  # x 8 devices = 16384
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop", scale=224, crop_ratio_range=(0.08, 1.0), **_base_.bicubic
            ),
            dict(type="RandomFlip", prob=0.5, direction="horizontal"),
            dict(type="PackInputs"),
        ]
    ),
)
