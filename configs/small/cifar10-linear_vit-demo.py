# The small linear probe on CIFAR-10 with a ViT.
_base_ = ["./cifar10-linear_swin-demo.py", "../_base_/models/vit-demo.py"]
backbone_name = "vit-demo"

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=True,  # that of pretraining
        out_type="featmap",
    ),
    head=dict(in_channels=128),
)
