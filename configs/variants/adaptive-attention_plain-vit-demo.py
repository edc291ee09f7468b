# SimMIM on the demo images with masks chosen by attention, on a plain ViT. Half of the masked
# patches are those that a moving average of the backbone attends to most; the ratio grows from 0.4
# to 0.6 in three epochs. After AttMask (https://arxiv.org/abs/2203.12719).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/plain-vit-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-adaptive-attention", backbone="plain-vit-demo")

model = dict(
    type="simmim_bench.AdaptiveSimMIM",
    backbone=dict(
        _base_.plain_vit_demo,
        img_size=64,
        final_norm=True,
        out_type="featmap",
    ),
    # AttMask has 0.996 over 100 epochs; larger steps here, because there are only 935
    score=dict(type="simmim_bench.TeacherAttentionScore", momentum=0.02),
    mask_patch_size=16,
    mask_ratio=0.6,
    guided=0.5,
    schedule=dict(start=0.4, epochs=3),
)
# The pipeline's mask is for evaluation; in training the model draws one from the sample's random
# key.
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
            dict(type="PackInputs", algorithm_keys=["mask", "seed_key"]),
        ]
    )
)
