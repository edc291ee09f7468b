# SimMIM on the demo images with rectangles of masked patches: BEiT's block-wise masking
# (https://arxiv.org/abs/2106.08254, algorithm 1).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-blockwise", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="blockwise",
                min_block=5,  # of 8 x 8 patches, as large a share as BEiT's 16 of 14 x 14
                mask_patch_size=8,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
