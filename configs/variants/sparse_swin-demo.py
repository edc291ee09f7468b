# Sparse SimMIM as GreenMIM (https://arxiv.org/abs/2205.13515) on the demo images: Swin encodes
# visible tokens only. Hidden at once is what one token of the last stage covers, 32 px; of the four
# such squares of an image three are hidden (0.6, rounded up), the 0.75 of GreenMIM.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-sparse")

model = dict(
    type="simmim_bench.SparseSimMIM",
    decoder=dict(
        _delete_=True, type="simmim_bench.LightTransformerDecoder", width=128, depth=1, heads=4
    ),
)
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
                mask_patch_size=32,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
