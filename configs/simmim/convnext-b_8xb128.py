# SimMIM, ConvNeXt-B, 100 epochs at 192 px, batch 2048: masked pixels are a learned colour, as in
# https://arxiv.org/abs/2205.13943. The original has no such model; the recipe is its Swin-B's:
# https://github.com/microsoft/SimMIM/blob/main/configs/swin_base__100ep/
# simmim_pretrain__swin_base__img192_window6__100ep.yaml.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/convnext-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="convnext-b", dataset="ImageNet-1k", epochs=100, image_size=192
)

model = dict(
    backbone=dict(
        _base_.convnext_b,
        drop_path_rate=0.0,  # Swin-B's
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
