# The small k-NN on CIFAR-10 with a plain ViT.
_base_ = ["./cifar10-knn_swin-demo.py", "../_base_/models/plain-vit-demo.py"]
backbone_name = "plain-vit-demo"

model = dict(
    backbone=dict(
        _delete_=True,
        **_base_.plain_vit_demo,
        img_size=64,
        final_norm=True,  # that of pretraining
        out_type="featmap",
    ),
    channels=128,
)
