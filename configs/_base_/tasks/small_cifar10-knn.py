# k-NN classifier on CIFAR-10, 64 px: the nearest training images vote, nothing is trained.
default_scope = "mmpretrain"
protocol = dict(
    id="small-cifar10-knn",
    version=1,
    task="classification",
    dataset="CIFAR-10, own subset",
    split="val",
    image_size=64,
    epochs=1,
    metrics=dict(top1_k10="knn/top1_k10", top1_k20="knn/top1_k20"),
    primary="top1_k20",
)

neighbours = [10, 20]
model = dict(
    type="simmim_bench.KNNClassifier",
    neck=dict(type="GlobalAveragePooling"),
    num_classes=10,
    neighbours=neighbours,
    temperature=0.07,  # https://github.com/facebookresearch/dino, eval_knn.py
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=10,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
val_evaluator = dict(type="simmim_bench.KNNAccuracy", neighbours=neighbours)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=25)
