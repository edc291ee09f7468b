# Sparse SimMIM after GreenMIM (https://arxiv.org/abs/2205.13515) on the demo images: Swin encodes
# visible tokens only. Masked squares are as large as a token of the last stage, 32 px. Three of the
# four squares of an image are masked (0.6, rounded up), as large a share as GreenMIM's 0.75.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-sparse", backbone="swin-demo")

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=_base_.swin_demo,
    decoder=dict(type="simmim_bench.LightTransformerDecoder", width=128, depth=1, heads=4),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=32,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
