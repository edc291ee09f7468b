# SimMIM with large and small hidden squares together: of 39 hidden patches of 8 px 16 (41 %: half,
# rounded down to whole squares) are four squares of 16 px, the demo's patch, the others are drawn
# singly. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-hierarchical")

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
                strategy="hierarchical",
                scale=2,
                large_share=0.5,
                mask_patch_size=8,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
