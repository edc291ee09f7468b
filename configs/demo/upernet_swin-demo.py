# UperNet on the demo's Swin: the demo's scenes, 96 px, batch 8.
# Values without a source were chosen on training data for two CPU cores.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_upernet.py",
    "../_base_/datasets/demo_ade20k.py",
    "../_base_/schedules/demo_upernet.py",
]
backbone_name = "swin-demo"

model = dict(
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    decode_head=dict(in_channels=[32, 64, 128, 256]),
    auxiliary_head=dict(in_channels=128),
)
