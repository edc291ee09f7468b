# SimMIM with free-form masks of single pixels: strokes and blobs are one learned colour in the
# image, and tokens may be masked in part. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-free-form-pixel")

model = dict(type="simmim_bench.PixelSimMIM", mask_size=1, fill="token")
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
