# BEiT (https://arxiv.org/abs/2106.08254) by mmpretrain's algorithm on the demo images, with a ViT
# of the demo's size. Visual tokens are colours, because DALL-E's tokenizer is a download
# (baselines/beit_vit-b_8xb256_300e.py). Values: the paper's appendix and section 2.3 (40 % masked,
# in blocks); sizes, learning rate and epochs are the demo's.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/vit-demo.py",
    "../_base_/models/beit.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="beit-colour", backbone="vit-demo")

model = dict(
    backbone=dict(arch=_base_.vit_demo.arch, img_size=64, patch_size=8),
    head=dict(embed_dims=128, num_embed=512),
    target_generator=dict(type="simmim_bench.ColourTokenizer", patch_size=8, bins=8),
    data_preprocessor=dict(
        second_mean=[0.0, 0.0, 0.0],  # of the tokenizer: 0 to 1
        second_std=[255.0, 255.0, 255.0],
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
            # as in the demo: a smaller crop could lose the digit, and a flip would change it
            dict(
                type="RandomResizedCropAndInterpolationWithTwoPic",
                size=64,
                second_size=64,
                interpolation="bicubic",
                second_interpolation="bicubic",
                scale=(0.67, 1.0),
            ),
            dict(
                type="BEiTMaskGenerator",
                input_size=(8, 8),
                num_masking_patches=25,
                max_num_patches=None,
                min_num_patches=5,  # as large a share as the paper's 16 of 196
            ),
            dict(type="PackInputs"),
        ]
    )
)
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.98)))
