# SimMIM, Swin-L, 800 epochs at 192 px, batch 2048.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/swin_large__800ep/
# simmim_pretrain__swin_large__img192_window12__800ep.yaml; config.py, data/data_simmim.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-l.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="swin-l", dataset="ImageNet-1k", epochs=800, image_size=192
)

model = dict(
    backbone=dict(
        _base_.swin_l,
        img_size=192,
        window_size=12,
        # the last stage is 6 x 6 tokens, and the original's window never exceeds the stage
        stage_cfgs=[dict(window_size=12)] * 3 + [dict(window_size=6)],
        drop_path_rate=0.0,  # MODEL.DROP_PATH_RATE
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
