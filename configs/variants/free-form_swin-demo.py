# SimMIM with free-form masks: strokes and blobs of masked tokens. The shapes are those of image
# inpainting with gated convolution (https://arxiv.org/abs/1806.03589), the exact share is ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-free-form")

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
                width=(0.1, 0.25),  # of the side: 6 to 16 px, so that a stroke hides a whole token
                mask_patch_size=4,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
