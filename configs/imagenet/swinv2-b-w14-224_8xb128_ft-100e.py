# SimMIM's fine-tuning of Swin V2-B at 224 px after 800 epochs of pretraining, batch 2048.
# Values: https://github.com/microsoft/Swin-Transformer/blob/main/configs/simmim/
# simmim_finetune__swinv2_base__img224_window14__800ep.yaml; config.py,
# data/data_simmim_ft.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swinv2-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swinv2-b"

model = dict(
    backbone=dict(
        _base_.swinv2_b,
        img_size=224,
        # the last stage is 7 x 7 tokens, and the original's window never exceeds the stage
        window_size=[14, 14, 14, 7],
        pretrained_window_sizes=[12, 12, 12, 6],  # MODEL.SWINV2.PRETRAINED_WINDOW_SIZES
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    head=dict(in_channels=1024),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

optim_wrapper = dict(
    type="OptimWrapper",  # float32: main_simmim_ft.py scales gradients, but casts nothing
    paramwise_cfg=dict(layer_decay=0.75),  # LAYER_DECAY
)
param_scheduler = dict(warmup_prefix=True)  # TRAIN.LR_SCHEDULER.WARMUP_PREFIX in config.py
