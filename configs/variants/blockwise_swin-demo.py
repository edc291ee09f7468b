# SimMIM with rectangles of hidden patches, BEiT's block-wise masking
# (https://arxiv.org/abs/2106.08254, algorithm 1).
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-blockwise")

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
                strategy="blockwise",
                min_block=5,  # of 8 x 8 patches, as large a share as BEiT's 16 of 14 x 14
                mask_patch_size=8,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
