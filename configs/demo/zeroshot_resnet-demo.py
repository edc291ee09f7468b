# Zero-shot classification: trained on the demo's captions, as retrieval_swin-demo.py, and evaluated
# on single digits. The class is the one whose sentence is nearest. No label is used.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-demo.py",
    "../_base_/models/text-demo.py",
    "../_base_/datasets/demo_captions.py",
    "../_base_/tasks/demo_zeroshot.py",
    "../_base_/schedules/demo_language.py",
]
backbone_name = "resnet-demo"
model = dict(backbone=_base_.resnet_demo, text=_base_.text_demo, data_preprocessor=_base_.pixels)
