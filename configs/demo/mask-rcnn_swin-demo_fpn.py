# Mask R-CNN with FPN on the demo's Swin: the demo's scenes, 96 px, batch 8.
# Values without a source were chosen on training data for two CPU cores.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/datasets/demo_coco.py",
    "../_base_/schedules/demo_mask-rcnn.py",
]
backbone_name = "swin-demo"

model = dict(
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", in_channels=[32, 64, 128, 256], out_channels=64, num_outs=5),
)
