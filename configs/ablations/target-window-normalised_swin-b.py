# Pixels are normalised in a sliding window, as for Swin V2
# (https://github.com/microsoft/Swin-Transformer, config.py, MODEL.SIMMIM.NORM_TARGET).
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-target-window-normalised",
    backbone="swin-b",
    dataset="ImageNet-1k",
    epochs=100,
    image_size=192,
)

model = dict(
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
    target=dict(type="simmim_bench.WindowNormalisedRGB", window_size=47),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
