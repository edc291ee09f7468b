# Fine-tuning of Swin V2-H at 512 px after 800 epochs of pretraining, batch 2048.
# The paper reports this model (https://arxiv.org/abs/2111.09886, section 4.3) and publishes no
# config for it. Drop path and layer decay are Swin-L's, the largest with a config:
# https://github.com/microsoft/SimMIM/blob/main/configs/swin_large__800ep/
# simmim_finetune__swin_large__img224_window14__800ep.yaml; all else as for Swin V2-B.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swinv2-h.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swinv2-h"
protocol = dict(id="imagenet-finetune-512-100e", image_size=512)

model = dict(
    backbone=dict(
        _base_.swinv2_h,
        img_size=512,
        # a sixteenth of the image, as https://arxiv.org/abs/2111.09883 has it at 192 to 384 px; the
        # last stage is 16 x 16 tokens
        window_size=[32, 32, 32, 16],
        pretrained_window_sizes=[12, 12, 12, 6],  # MODEL.SWINV2.PRETRAINED_WINDOW_SIZES
        drop_path_rate=0.2,  # MODEL.DROP_PATH_RATE of Swin-L
        with_cp=True,  # less memory, more time, the same results
    ),
    head=dict(in_channels=2816),
)
train_dataloader = dict(
    batch_size=8,  # x 128 devices x 2 iterations = 2048
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop", scale=512, crop_ratio_range=(0.08, 1.0), **_base_.bicubic
            ),
            *_base_.augmentation,
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ResizeEdge", scale=585, edge="short", **_base_.bicubic),  # 256 / 224 x 512
            dict(type="CenterCrop", crop_size=512),
            dict(type="PackInputs"),
        ]
    )
)
test_dataloader = val_dataloader

optim_wrapper = dict(
    type="OptimWrapper",  # float32: main_simmim_ft.py scales gradients, but casts nothing
    paramwise_cfg=dict(layer_decay=0.7),  # LAYER_DECAY of Swin-L
)
param_scheduler = dict(warmup_prefix=True)  # TRAIN.LR_SCHEDULER.WARMUP_PREFIX in config.py
