# MAE, plain ViT-B, 800 epochs at 224 px, batch 4096, by mmpretrain's algorithm.
# Values: https://arxiv.org/abs/2111.06377, table 8; https://github.com/facebookresearch/mae,
# main_pretrain.py; mmpretrain 1.2, configs/mae/mae_vit-base-p16_8xb512-amp-coslr-800e_in1k.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/mae.py",
    "../_base_/datasets/imagenet_unlabelled.py",
    "../_base_/schedules/mae_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="mae", backbone="plain-vit-b", dataset="ImageNet-1k", epochs=800, image_size=224
)

model = dict(
    backbone=dict(
        arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
        img_size=224,
        patch_size=16,
    ),
    neck=dict(
        patch_size=16,
        num_patches=196,
        embed_dim=768,
        decoder_embed_dim=512,
        decoder_depth=8,
        decoder_num_heads=16,
    ),
    head=dict(patch_size=16),
)
train_dataloader = dict(
    batch_size=512,  # x 8 devices = 4096
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop",
                scale=224,
                crop_ratio_range=(0.2, 1.0),
                backend="pillow",
                interpolation="bicubic",
            ),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackInputs"),
        ]
    ),
)
