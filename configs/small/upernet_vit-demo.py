# The small UperNet with a ViT through the feature pyramid of BEiT and MAE.
_base_ = ["./upernet_swin-demo.py", "../_base_/models/vit-demo.py"]
backbone_name = "vit-demo"

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.vit_demo,
        img_size=(96, 128),
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="featmap",
        out_indices=[1, 2, 3, 5],
    ),
    neck=dict(
        type="Feature2Pyramid",
        embed_dim=128,
        rescales=[2, 1, 0.5, 0.25],  # strides 4, 8, 16, 32 of a patch of 8
        norm_cfg=dict(type="SyncBN", requires_grad=True),
    ),
    decode_head=dict(in_channels=[128, 128, 128, 128]),
    auxiliary_head=dict(in_channels=128),
)
