# Inverse Swin-T as the head instead of a linear layer
# (https://arxiv.org/abs/2111.09886, sections 3.3 and 4.1.3).
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-head-inverse-swin-t",
    backbone="swin-b",
    dataset="ImageNet-1k",
    epochs=100,
    image_size=192,
)

model = dict(
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
    decoder=dict(type="simmim_bench.InverseSwinDecoder", arch="tiny", window_size=6),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
