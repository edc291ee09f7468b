# SimMIM on the demo images with masks finer than a token: blocks of 2 x 2 px, half of Swin's patch,
# are replaced in the image by one learned colour. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-pixel", backbone="swin-demo")

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
                mask_patch_size=2,
                mask_ratio=0.6,
                token_size=1,  # the model's mask_size
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
