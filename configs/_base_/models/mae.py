# MAE by mmpretrain's algorithm: https://arxiv.org/abs/2111.06377;
# mmpretrain 1.2, configs/_base_/models/mae_vit-base-p16.py. Sizes are stated in each leaf.
model = dict(
    type="MAE",
    backbone=dict(type="MAEViT", mask_ratio=0.75),
    neck=dict(type="MAEPretrainDecoder", in_chans=3, mlp_ratio=4.0),
    head=dict(
        type="MAEPretrainHead",
        norm_pix=True,
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
