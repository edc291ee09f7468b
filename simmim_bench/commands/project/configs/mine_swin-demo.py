# The method and the mask of this project on the demo's Swin; all else is SimMIM's recipe.
_base_ = ["simmim_bench::demo/simmim_swin-demo.py"]
custom_imports = dict(imports=["my_method"])
pretraining = dict(method="mine")
model = dict(type="simmim_bench.SmallFeatures")
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                strategy="disk",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
