# The small CIFAR-10 of five labels a class with a ViT; its own norm, ln2, follows the average.
_base_ = ["./cifar10-5shot_swin-demo.py", "../_base_/models/vit-demo.py"]
backbone_name = "vit-demo"

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,
    head=dict(in_channels=128),
)
