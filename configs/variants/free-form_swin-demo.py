# SimMIM with free-form masks: strokes and blobs of masked tokens. The shapes are those of image
# inpainting with gated convolution (https://arxiv.org/abs/1806.03589), the exact share is ours.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-free-form", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="free_form",
                width=(0.1, 0.25),  # of the side: 6 to 16 px, so that a stroke masks whole tokens
                mask_patch_size=4,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
