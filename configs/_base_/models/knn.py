# k-NN classifier: the nearest training images vote (https://arxiv.org/abs/1805.01978, section 3.4).
# Numbers of neighbours and temperature: https://github.com/facebookresearch/dino, eval_knn.py.
neighbours = [10, 20, 100, 200]
model = dict(
    type="simmim_bench.KNNClassifier",
    neck=dict(type="GlobalAveragePooling"),
    num_classes=1000,
    neighbours=neighbours,
    temperature=0.07,
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=1000,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
votes = dict(type="simmim_bench.KNNAccuracy", neighbours=neighbours)  # evaluator of the leaves
