# SimMIM's fine-tuning of Swin-B at 192 px, batch 2048.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/swin_base__100ep/
# simmim_finetune__swin_base__img192_window6__100ep.yaml; config.py, data/data_finetune.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swin-b"
protocol = dict(id="imagenet-finetune-192-100e", image_size=192)

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=192,
        window_size=6,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    head=dict(in_channels=1024),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop", scale=192, crop_ratio_range=(0.08, 1.0), **_base_.bicubic
            ),
            *_base_.augmentation,
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ResizeEdge", scale=219, edge="short", **_base_.bicubic),  # 256 / 224 x 192
            dict(type="CenterCrop", crop_size=192),
            dict(type="PackInputs"),
        ]
    )
)
test_dataloader = val_dataloader

# LAYER_DECAY after 100 epochs of pretraining; the original has 0.8 after 800.
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
