# Contrastive alignment of the demo's scenes and captions: retrieval in both directions, 96 px.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-demo.py",
    "../_base_/models/text-demo.py",
    "../_base_/datasets/demo_captions.py",
    "../_base_/tasks/demo_retrieval.py",
    "../_base_/schedules/demo_language.py",
]
backbone_name = "resnet-demo"
model = dict(backbone=_base_.resnet_demo, text=_base_.text_demo, data_preprocessor=_base_.pixels)
