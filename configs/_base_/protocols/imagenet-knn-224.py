# k-NN on ImageNet-1k at 224 px; top-1 accuracy on val for four numbers of neighbours.
protocol = dict(
    id="imagenet-knn-224",
    version=1,
    task="classification",
    dataset="ImageNet-1k",
    split="val",
    image_size=224,
    epochs=1,
    metrics=dict(
        top1_k10="knn/top1_k10",
        top1_k20="knn/top1_k20",
        top1_k100="knn/top1_k100",
        top1_k200="knn/top1_k200",
    ),
    primary="top1_k20",
)
