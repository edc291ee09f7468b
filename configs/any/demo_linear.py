# Linear probe of any backbone on 100 of the demo's digits a class, 64 px, 2 epochs.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/any-2e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="demo-linear-2e", epochs=2, dataset="simmim_bench demo, 100 digits a class")

model = dict(
    type="simmim_bench.LinearProbe",
    backbone=dict(_base_.of_weights, img_size=64),
    head=dict(
        _delete_=True,
        type="simmim_bench.LinearProbeHead",
        num_classes=10,
        in_channels=0,
        loss=dict(type="CrossEntropyLoss"),
    ),
)
by_backbone = _base_.no_drop_path
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9),  # MAE, main_linprobe.py: 0.1 x 25 / 256
)

train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=100, list_number=0))
auto_scale_lr = dict(base_batch_size=25)
