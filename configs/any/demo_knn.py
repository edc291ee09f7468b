# k-NN of any backbone on 100 of the demo's digits a class, 64 px: nothing is learned.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/small_cifar10-knn.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="demo-knn", dataset="simmim_bench demo, 100 digits a class")

model = dict(backbone=dict(_base_.of_weights, img_size=64), channels=0)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=100,
    dataset=dict(
        type="simmim_bench.FewShotDataset",
        shots=100,
        list_number=0,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    ),
)
