# Fine-tuning of a plain ViT on the labelled demo images: ten digits, 64 px, batch 25.
# Values without a source were chosen on training data for two CPU cores, with the Swin.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/plain-vit-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/demo_classification.py",
]
backbone_name = "plain-vit-demo"
backbone_init = "library"  # torch's own initial weights, as the demo's Swin

model = dict(
    backbone=dict(
        _base_.plain_vit_demo,
        img_size=64,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,  # the backbone averages its tokens, and its own norm, ln2, follows
    head=dict(in_channels=128),
)
