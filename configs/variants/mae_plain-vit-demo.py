# MAE (https://arxiv.org/abs/2111.06377) by mmpretrain's algorithm on the demo images, with a plain
# ViT of the demo's size. Values: table 8, but for sizes, learning rate and epochs: the demo's.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/plain-vit-demo.py"]
pretraining = dict(method="mae", backbone="plain-vit-demo")

model = dict(
    _delete_=True,
    type="MAE",
    backbone=dict(
        type="MAEViT",
        arch=_base_.plain_vit_demo.arch,
        img_size=64,
        patch_size=8,
        mask_ratio=0.75,
    ),
    neck=dict(
        type="MAEPretrainDecoder",
        patch_size=8,
        num_patches=64,
        in_chans=3,
        embed_dim=128,
        decoder_embed_dim=64,
        decoder_depth=2,
        decoder_num_heads=4,
        mlp_ratio=4.0,
    ),
    head=dict(
        type="MAEPretrainHead",
        norm_pix=True,
        patch_size=8,
        loss=dict(type="PixelReconstructionLoss", criterion="L2"),
    ),
    init_cfg=[
        dict(type="Xavier", layer="Linear", distribution="uniform"),
        dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
    ],
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # of the demo: a smaller part would lose the digit, and a flip would change it
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.67, 1.0),
                interpolation="bicubic",
            ),
            dict(type="PackInputs"),
        ]
    )
)
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.95)))
