# SimMIM's fine-tuning of Swin-L at 224 px after 800 epochs of pretraining, batch 2048.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/swin_large__800ep/
# simmim_finetune__swin_large__img224_window14__800ep.yaml; config.py, data/data_finetune.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-l.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swin-l"

model = dict(
    backbone=dict(
        _base_.swin_l,
        img_size=224,
        window_size=14,
        # the last stage is 7 x 7 tokens, and the original's window never exceeds the stage
        stage_cfgs=[dict(window_size=14)] * 3 + [dict(window_size=7)],
        drop_path_rate=0.2,  # MODEL.DROP_PATH_RATE
    ),
    head=dict(in_channels=1536),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.7))  # LAYER_DECAY
