# Questions about the demo's scenes, 96 px: the mean of the image beside the mean of the question.
_base_ = [
    "../models/text-demo.py",
    "../datasets/demo_questions.py",
    "../schedules/demo_language.py",
]
default_scope = "mmpretrain"
protocol = dict(
    id="demo-vqa-concat",
    version=1,
    task="vqa",
    dataset="simmim_bench demo, questions about scenes",
    split="val",
    image_size=96,
    epochs=2,
    metrics=dict(
        accuracy="vqa/accuracy",
        majority="vqa/majority",
        count="vqa/accuracy_count",
        presence="vqa/accuracy_presence",
        leftmost="vqa/accuracy_leftmost",
        largest="vqa/accuracy_largest",
        comparison="vqa/accuracy_comparison",
    ),
    primary="accuracy",
)

model = dict(
    type="simmim_bench.QuestionAnswerer",
    text=_base_.text_demo,
    fusion=dict(type="simmim_bench.ConcatenationFusion", channels=128),
    num_classes=12,
    data_preprocessor=_base_.pixels,
)
# about five questions an image: 2 epochs see each image as often as 10 of the captions
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=20),
    dict(
        type="CosineAnnealingLR",
        eta_min=1.5e-5,
        by_epoch=True,
        end=2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=2, val_interval=2)
auto_scale_lr = dict(base_batch_size=100)
