# SimMIM with masks by edge energy: half of the hidden patches are those of the strongest edges, and
# the ratio grows from 0.4 to 0.6 in three epochs. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-adaptive-edge")

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
                strategy="edge",
                guided=0.5,  # Hard Patches Mining, section 3.3: alpha_T
                schedule=dict(start=0.4, epochs=3),
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
