# Fine-tuning of the demo's Swin on the labelled demo images: ten digits, 64 px, batch 25.
# Values without a source were chosen on training data for two CPU cores.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/demo_classification.py",
]
backbone_name = "swin-demo"

model = dict(
    backbone=_base_.swin_demo,
    head=dict(in_channels=256),
)
