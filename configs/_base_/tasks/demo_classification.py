# Fine-tuning on the labelled demo images: ten digits, 64 px.
default_scope = "mmpretrain"
protocol = dict(
    id="demo-classification",
    version=1,
    task="classification",
    dataset="simmim_bench demo, digits on photographs",
    split="val",
    image_size=64,
    epochs=5,
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)

model = dict(
    type="ImageClassifier",
    neck=dict(type="GlobalAveragePooling"),
    head=dict(
        type="LinearClsHead",
        num_classes=10,
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, mode="original"),
    ),
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=10,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
