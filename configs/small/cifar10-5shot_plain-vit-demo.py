# The small CIFAR-10 of five labels a class, plain ViT; its own norm, ln2, follows the average.
_base_ = ["./cifar10-5shot_swin-demo.py", "../_base_/models/plain-vit-demo.py"]
backbone_name = "plain-vit-demo"

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.plain_vit_demo,
        img_size=64,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,
    head=dict(in_channels=128),
)
