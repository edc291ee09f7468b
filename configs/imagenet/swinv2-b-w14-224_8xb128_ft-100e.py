# SimMIM's fine-tuning of Swin V2-B at 224 px after 800 epochs of pretraining, batch 1024.
# Values: https://github.com/microsoft/Swin-Transformer, configs/simmim/
# simmim_finetune__swinv2_base__img224_window14__800ep.yaml (batch 2048); the rest as
# https://github.com/microsoft/SimMIM, config.py, data/data_finetune.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swinv2-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swinv2-b"
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
    backbone=dict(
        _base_.swinv2_b,
        img_size=224,
        # the last stage is 7 x 7 tokens, and the original's window never exceeds the stage
        window_size=[14, 14, 14, 7],
        pretrained_window_sizes=[12, 12, 12, 6],  # MODEL.SWINV2.PRETRAINED_WINDOW_SIZES
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(
        in_channels=1024,
        # models/swin_transformer_v2.py
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

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.75))  # LAYER_DECAY
