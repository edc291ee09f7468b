# The training of retrieval_swin-demo.py, evaluated without labels: the demo's single digits are
# classified by the sentence about each class that is nearest. No labelled image is seen.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/text-demo.py",
    "../_base_/datasets/demo_captions.py",
    "../_base_/tasks/demo_zeroshot.py",
    "../_base_/schedules/demo_language.py",
]
backbone_name = "swin-demo"
model = dict(backbone=_base_.swin_demo, text=_base_.text_demo, data_preprocessor=_base_.pixels)
