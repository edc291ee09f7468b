# Fine-tuning of a plain CNN on the labelled demo images: ten digits, 64 px, batch 25.
# Values without a source were chosen on training data for two CPU cores, with the Swin.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/cnn-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/demo_classification.py",
]
backbone_name = "cnn-demo"
backbone_init = "original"  # initial weights of He et al., fan out

model = dict(
    backbone=_base_.cnn_demo,
    head=dict(in_channels=256),
)
