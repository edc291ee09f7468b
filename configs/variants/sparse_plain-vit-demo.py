# Sparse SimMIM after MAE (https://arxiv.org/abs/2111.06377) on the demo images: a plain ViT encodes
# visible tokens only, and a light decoder reads mask tokens. The mask is the demo's.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/plain-vit-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-sparse", backbone="plain-vit-demo")

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(
        _base_.plain_vit_demo,
        img_size=64,
        final_norm=True,
        out_type="featmap",
    ),
    decoder=dict(type="simmim_bench.LightTransformerDecoder", width=64, depth=1, heads=4),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=8,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
