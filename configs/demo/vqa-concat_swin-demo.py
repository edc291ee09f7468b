# Questions about the demo's scenes, 96 px: the mean of the image is concatenated with the mean of
# the question.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/text-demo.py",
    "../_base_/datasets/demo_questions.py",
    "../_base_/tasks/demo_vqa_concat.py",
    "../_base_/schedules/demo_questions.py",
]
backbone_name = "swin-demo"
model = dict(backbone=_base_.swin_demo, text=_base_.text_demo, data_preprocessor=_base_.pixels)
