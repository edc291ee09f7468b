# SimMIM, Swin V2-B, 800 epochs at 192 px, batch 2048.
# Values: https://github.com/microsoft/Swin-Transformer/blob/main/configs/simmim/
# simmim_pretrain__swinv2_base__img192_window12__800ep.yaml; config.py,
# data/data_simmim_pt.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swinv2-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="swinv2-b", dataset="ImageNet-1k", epochs=800, image_size=192
)

model = dict(
    backbone=dict(
        _base_.swinv2_b,
        img_size=192,
        # the last stage is 6 x 6 tokens, and the original's window never exceeds the stage
        window_size=[12, 12, 12, 6],
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    # MODEL.SIMMIM.NORM_TARGET
    target=dict(type="simmim_bench.WindowNormalisedRGB", window_size=47),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
