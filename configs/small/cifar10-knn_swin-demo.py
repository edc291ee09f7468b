# k-NN of the demo's backbone on CIFAR-10 as folders of images,
# data/cifar10/{train,val}/<class>/*. Any other such data: --data-root FOLDER --num-classes N.
_base_ = ["./cifar10_swin-demo.py"]
protocol = dict(
    id="small-cifar10-knn",
    epochs=1,
    metrics=dict(_delete_=True, top1_k10="knn/top1_k10", top1_k20="knn/top1_k20"),
    primary="top1_k20",
)

neighbours = [10, 20]
model = dict(
    _delete_=True,
    type="simmim_bench.KNNClassifier",
    backbone=_base_.swin_demo,
    neck=dict(type="GlobalAveragePooling"),
    channels=256,
    num_classes=10,
    neighbours=neighbours,
    temperature=0.07,  # https://github.com/facebookresearch/dino, eval_knn.py
    data_preprocessor=_base_.model.data_preprocessor,
)
# the labelled images are seen as the others are
train_dataloader = dict(dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline))
val_evaluator = dict(_delete_=True, type="simmim_bench.KNNAccuracy", neighbours=neighbours)
test_evaluator = val_evaluator

# one epoch that changes no weight
optim_wrapper = dict(_delete_=True, type="OptimWrapper", optimizer=dict(type="SGD", lr=0.0))
param_scheduler = []
train_cfg = dict(max_epochs=1)
custom_hooks = [dict(type="simmim_bench.ReserveMemoryHook")]
