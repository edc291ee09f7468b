# SimMIM with free-form masks of single pixels: strokes and blobs are one learned colour in the
# image, and tokens may be masked in part. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-free-form-pixel", backbone="swin-demo")

model = dict(
    type="simmim_bench.PixelSimMIM",
    backbone=_base_.swin_demo,
    mask_size=1,
    fill="token",
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="free_form",
                width=(0.1, 0.25),  # of the side: 6 to 16 px
                mask_patch_size=1,
                mask_ratio=0.6,
                token_size=1,  # the model's mask_size
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
