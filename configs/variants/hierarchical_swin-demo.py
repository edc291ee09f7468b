# SimMIM on the demo images with masks of large and small squares. Of 39 masked patches of 8 px, 16
# (41 %: half, rounded down to whole squares) form four squares of 16 px, the demo's patch size;
# the others are drawn one by one. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-hierarchical", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="hierarchical",
                scale=2,
                large_share=0.5,
                mask_patch_size=8,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
