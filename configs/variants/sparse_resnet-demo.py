# Sparse SimMIM as SparK (https://arxiv.org/abs/2301.03580) on the demo images with a ResNet:
# convolutions do not see hidden pixels, a U-shaped decoder gets every stage. Hidden at once is what
# one position of the last stage covers, 32 px, so that three of four are (0.6, rounded up).
_base_ = ["./simmim_resnet-demo.py"]
pretraining = dict(method="simmim-sparse")

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(out_indices=(0, 1, 2, 3)),
    decoder=dict(_delete_=True, type="simmim_bench.UNetDecoder"),
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
