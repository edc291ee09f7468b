# Questions about the demo's scenes, 96 px: the mean of the image is concatenated with the mean of
# the question.
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
    fusion=dict(type="simmim_bench.ConcatenationFusion", channels=128),
    num_classes=12,
)
