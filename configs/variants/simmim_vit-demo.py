# SimMIM on the demo images with a ViT in BEiT's style, as SimMIM's own ViT-B: what BEiT is compared
# with.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/vit-demo.py"]
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
