# SimMIM on two views of each demo image with a momentum teacher: each masked view must find the
# teacher's vector of the other view, unmasked (as CMAE, https://arxiv.org/abs/2207.13532).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/datasets/demo_views.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-multiview-momentum", backbone="swin-demo")

model = dict(
    type="simmim_bench.MultiViewSimMIM",
    backbone=_base_.swin_demo,
    contrast=dict(
        views=2,
        heads=8,  # of the last stage
        hidden=512,
        dims=128,  # SimCLR, section 2.1
        temperature=0.2,  # MoCo v3, section 4.4
        momentum=0.99,  # MoCo v3, section 4.4
    ),
    weight=dict(value=0.1),  # not tuned
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
