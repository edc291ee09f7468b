# Logistic regression (scikit-learn, L-BFGS) on standardised frozen features, for few images: its
# regularisation is the best of seven in a cross-validation on the training images. Grid: ours.
default_scope = "mmpretrain"
protocol = dict(
    task="classification",
    split="val",
    epochs=1,
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)
model = dict(
    type="simmim_bench.LogisticClassifier",
    neck=dict(type="GlobalAveragePooling"),
    channels=0,
    num_classes=0,
    grid=[1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0],
    folds=5,
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    precision="float32",
)
