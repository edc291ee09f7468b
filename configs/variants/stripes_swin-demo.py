# SimMIM with stripes: whole rows or columns of patches are hidden, drawn per image. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-stripes")

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.67, 1.0),
                interpolation="bicubic",
            ),
            dict(
                type="simmim_bench.GenerateMask",
                strategy="stripes",
                direction="either",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
