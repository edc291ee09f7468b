# Linear probe of Swin-B at 224 px, MAE's recipe on averaged features, batch 16384.
# Another layer:
# --cfg-options model.backbone.out_indices=[INDEX] and its channels in model.head.in_channels.
# SGD: optim_wrapper.optimizer.type=SGD; no batch norm: model.head.type=LinearClsHead.
# Values: https://arxiv.org/abs/2111.06377, table 10; https://github.com/facebookresearch/mae,
# main_linprobe.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/linear-probe.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_linear-90e.py",
    "../_base_/protocols/imagenet-linear-224-90e.py",
]
default_scope = "mmpretrain"
backbone_name = "swin-b"

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=224,
        window_size=7,
        drop_path_rate=0.0,
    ),
    head=dict(in_channels=1024),
)
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
