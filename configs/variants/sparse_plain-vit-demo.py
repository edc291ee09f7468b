# Sparse SimMIM as MAE (https://arxiv.org/abs/2111.06377) on the demo images: a plain ViT encodes
# visible tokens only, a light decoder sees mask tokens. The mask is that of the demo.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/plain-vit-demo.py"]
pretraining = dict(method="simmim-sparse", backbone="plain-vit-demo")

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(
        _delete_=True, **_base_.plain_vit_demo, img_size=64, final_norm=True, out_type="featmap"
    ),
    decoder=dict(
        _delete_=True, type="simmim_bench.LightTransformerDecoder", width=64, depth=1, heads=4
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
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=8,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
