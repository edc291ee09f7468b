# Linear probe of any backbone on folders of images, data/cifar10/{train,val}/<class>/*, 64 px,
# 24 epochs.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/any-24e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="own-linear-24e", epochs=24, dataset="CIFAR-10, own subset")

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

auto_scale_lr = dict(base_batch_size=25)
