# MoCo v3 by mmpretrain's algorithm: https://arxiv.org/abs/2104.02057, section 4.4;
# https://github.com/facebookresearch/moco-v3, CONFIG.md. Widths are stated in each leaf.
temperature = 0.2
model = dict(
    type="MoCoV3",
    base_momentum=0.01,
    neck=dict(
        type="NonLinearNeck",
        num_layers=3,
        with_bias=False,
        with_last_bn=True,
        with_last_bn_affine=False,
        with_last_bias=False,
    ),
    head=dict(
        type="MoCoV3Head",
        predictor=dict(
            type="NonLinearNeck",
            num_layers=2,
            with_bias=False,
            with_last_bn=True,
            with_last_bn_affine=False,
            with_last_bias=False,
            with_avg_pool=False,
        ),
        loss=dict(type="CrossEntropyLoss", loss_weight=2 * temperature),
        temperature=temperature,
    ),
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
