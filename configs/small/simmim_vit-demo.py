# The small pretraining with a ViT: the same data, schedule and mask.
_base_ = ["./simmim_swin-demo.py", "../_base_/models/vit-demo.py"]
pretraining = dict(backbone="vit-demo")

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="featmap",
    )
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
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=8,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
