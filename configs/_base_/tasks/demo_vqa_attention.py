# Questions about the demo's scenes, 96 px: the words of a question attend to positions of the
# image.
default_scope = "mmpretrain"
protocol = dict(
    id="demo-vqa-attention",
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
    fusion=dict(type="simmim_bench.CrossAttentionFusion", channels=128, depth=2, num_heads=4),
    num_classes=12,
)
