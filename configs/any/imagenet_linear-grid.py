# Linear probe with a grid of learning rates on frozen features of any backbone:
# ImageNet-1k at 224 px, 10 epochs, batch 1024.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_linear-grid.py",
    "../_base_/datasets/imagenet.py",
]
backbone_name = "any"
backbone_init = "original"

protocol = dict(
    id="imagenet-224-linear-grid", version=1, dataset="ImageNet-1k", image_size=224, epochs=10
)

model = dict(
    backbone=dict(_base_.of_weights, img_size=224),
    num_classes=1000,
    data_preprocessor=dict(num_classes=1000),
)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=128,
    drop_last=True,
    dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline),
)
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=0,
        end=10,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=10, val_interval=10)
auto_scale_lr = dict(base_batch_size=1024)
