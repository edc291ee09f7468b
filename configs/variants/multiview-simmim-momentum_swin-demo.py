# Multi-view SimMIM with a momentum teacher, on the demo images: a masked view must find the
# teacher's vector of the other whole view (as CMAE, https://arxiv.org/abs/2207.13532).
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/datasets/demo_views.py"]
pretraining = dict(method="simmim-multiview-momentum")

model = dict(
    type="simmim_bench.MultiViewSimMIM",
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
            # of the demo; every view has its own
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
