# SimMIM on the demo images with masks chosen by reconstruction error. Half of the masked patches
# are those that the model reconstructs worst; the ratio grows from 0.4 to 0.6 in three epochs.
# After Hard Patches Mining (https://arxiv.org/abs/2304.05919), which predicts the error.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-adaptive-error", backbone="swin-demo")

model = dict(
    type="simmim_bench.AdaptiveSimMIM",
    backbone=_base_.swin_demo,
    score=dict(type="simmim_bench.ReconstructionErrorScore"),
    mask_patch_size=16,
    mask_ratio=0.6,
    guided=0.5,  # Hard Patches Mining, section 3.3: alpha_T
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
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask", "seed_key"]),
        ]
    )
)
