# Fine-tuning of ResNet-50 at 224 px, batch 1024. The original has no such model; the recipe
# is its Swin-B's: https://github.com/microsoft/SimMIM, configs/swin_base__100ep/
# simmim_finetune__swin_base__img224_window7__100ep.yaml (batch 2048).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "resnet-50"
protocol = dict(
    id="imagenet-finetune-224-100e",
    version=1,
    task="classification",
    dataset="ImageNet-1k",
    split="val",
    image_size=224,
    epochs=100,
    metrics=dict(top1="accuracy/top1", top5="accuracy/top5"),
    primary="top1",
)

model = dict(
    backbone=dict(_base_.resnet_50),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(
        in_channels=2048,
        # models/swin_transformer.py
        init_cfg=dict(type="TruncNormal", layer="Linear", std=0.02, bias=0.0),
    ),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices = 1024
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop", scale=224, crop_ratio_range=(0.08, 1.0), **_base_.bicubic
            ),
            *_base_.augmentation,
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ResizeEdge", scale=256, edge="short", **_base_.bicubic),  # 256 / 224 x 224
            dict(type="CenterCrop", crop_size=224),
            dict(type="PackInputs"),
        ]
    )
)
test_dataloader = val_dataloader

# LAYER_DECAY after 100 epochs of pretraining; the original has 0.8 after 800.
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
