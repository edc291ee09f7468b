# BEiT (https://arxiv.org/abs/2106.08254) by mmpretrain's algorithm on the demo images, with a ViT
# of the demo's size and colours for visual tokens: DALL-E's tokenizer is a file to download
# (../baselines/beit_vit-b_8xb256_300e.py). Values: its appendix and section 2.3 (40 % masked, in
# blocks), but for sizes, learning rate and epochs: the demo's.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/vit-demo.py"]
pretraining = dict(method="beit-colour", backbone="vit-demo")

model = dict(
    _delete_=True,
    type="BEiT",
    backbone=dict(
        type="BEiTPretrainViT",
        arch=_base_.vit_demo.arch,
        img_size=64,
        patch_size=8,
        layer_scale_init_value=0.1,
        use_abs_pos_emb=False,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="raw",
        norm_cfg=dict(type="LN", eps=1e-6),
        layer_cfgs=_base_.vit_demo.layer_cfgs,
    ),
    neck=None,
    head=dict(type="BEiTV1Head", embed_dims=128, num_embed=512, loss=dict(type="CrossEntropyLoss")),
    target_generator=dict(type="simmim_bench.ColourTokenizer", patch_size=8, bins=8),
    data_preprocessor=dict(
        type="TwoNormDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        second_mean=[0.0, 0.0, 0.0],  # of the tokenizer: 0 to 1
        second_std=[255.0, 255.0, 255.0],
        to_rgb=True,
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
            # of the demo: a smaller part would lose the digit, and a flip would change it
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
