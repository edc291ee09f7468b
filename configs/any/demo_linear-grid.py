# Linear probe with a grid of learning rates on frozen features of any backbone:
# 100 of the demo's digits a class, 64 px, 20 epochs.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_linear-grid.py",
    "../_base_/datasets/demo_digits.py",
]
backbone_name = "any"
backbone_init = "library"

protocol = dict(
    id="demo-linear-grid",
    version=1,
    dataset="simmim_bench demo, 100 digits a class",
    image_size=64,
    epochs=20,
)

model = dict(
    backbone=dict(_base_.of_weights, img_size=64),
    num_classes=10,
    data_preprocessor=dict(num_classes=10),
)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=100,
    drop_last=True,
    dataset=dict(
        type="simmim_bench.FewShotDataset",
        shots=100,
        list_number=0,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    ),
)
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=0,
        end=20,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=20, val_interval=20)
auto_scale_lr = dict(base_batch_size=100)
