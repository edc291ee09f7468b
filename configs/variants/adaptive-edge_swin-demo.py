# SimMIM on the demo images with masks chosen by edges. Half of the masked patches are those with
# the strongest edges; the ratio grows from 0.4 to 0.6 in three epochs. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-adaptive-edge", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="edge",
                guided=0.5,  # Hard Patches Mining, section 3.3: alpha_T
                schedule=dict(start=0.4, epochs=3),
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
