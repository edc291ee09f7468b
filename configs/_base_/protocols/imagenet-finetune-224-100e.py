# Fine-tuning on ImageNet-1k for 100 epochs at 224 px; top-1 and top-5 accuracy on val.
protocol = dict(
    id="imagenet-finetune-224-100e",
    version=2,
    task="classification",
    dataset="ImageNet-1k",
    split="val",
    image_size=224,
    epochs=100,
    metrics=dict(top1="accuracy/top1", top5="accuracy/top5"),
    primary="top1",
)
