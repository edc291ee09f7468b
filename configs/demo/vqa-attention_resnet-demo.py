# Questions about the demo's scenes, 96 px: words of the question attend to places of the image.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-demo.py",
    "../_base_/tasks/demo_vqa_attention.py",
]
backbone_name = "resnet-demo"
model = dict(backbone=_base_.resnet_demo)
