# SimMIM's fine-tuning of Swin-B at 224 px after 800 epochs of pretraining, batch 2048.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/swin_base__800ep/
# simmim_finetune__swin_base__img224_window7__800ep.yaml; config.py, data/data_finetune.py.
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

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=224,
        window_size=7,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    head=dict(in_channels=1024),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.8))  # LAYER_DECAY
