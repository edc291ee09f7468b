# SimMIM on the demo images with a ViT in BEiT's style, as SimMIM's own ViT-B: the reference of the
# demo's BEiT.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/vit-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="vit-demo")

model = dict(
    backbone=dict(
        _base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="featmap",
    ),
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
