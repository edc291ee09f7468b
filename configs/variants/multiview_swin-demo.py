# Contrast of two masked views of each demo image, which must find each other in the batch. Nothing
# is reconstructed (docs/similarity.md).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/datasets/demo_views.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="multiview-contrast", backbone="swin-demo")

model = dict(
    type="simmim_bench.MultiViewContrast",
    backbone=_base_.swin_demo,
    init_cfg=[],  # torch's own initial weights; swin-demo.py says why
    contrast=dict(
        views=2,
        heads=8,  # of the last stage
        hidden=512,
        dims=128,  # SimCLR, section 2.1
        temperature=0.2,  # MoCo v3, section 4.4
    ),
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
            _base_.two_views,
            # as in the demo; every view has its own mask
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
