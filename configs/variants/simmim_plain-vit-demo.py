# SimMIM on the demo images with a plain ViT: what its variants are compared with.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/plain-vit-demo.py"]
pretraining = dict(backbone="plain-vit-demo")

model = dict(
    backbone=dict(
        _delete_=True, **_base_.plain_vit_demo, img_size=64, final_norm=True, out_type="featmap"
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
