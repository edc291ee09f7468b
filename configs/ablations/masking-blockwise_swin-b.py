# Blocks are masked as in BEiT instead of random patches
# (https://arxiv.org/abs/2111.09886, sections 3.2 and 4.1.2).
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-masking-blockwise",
    backbone="swin-b",
    dataset="ImageNet-1k",
    epochs=100,
    image_size=192,
)

model = dict(
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:3],  # read, crop and flip as SimMIM
            dict(
                type="simmim_bench.GenerateMask",
                strategy="blockwise",
                mask_patch_size=32,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    ),
)
