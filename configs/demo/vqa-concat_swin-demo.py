# Questions about the demo's scenes, 96 px: the mean of the image beside the mean of the question.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_vqa_concat.py",
]
backbone_name = "swin-demo"
model = dict(backbone=_base_.swin_demo)
