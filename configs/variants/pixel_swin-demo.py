# SimMIM masked below the token: blocks of 2 x 2 px, half of Swin's patch, are one learned colour in
# the image. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-pixel")

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
                mask_patch_size=2,
                mask_ratio=0.6,
                token_size=1,  # the model's mask_size
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
