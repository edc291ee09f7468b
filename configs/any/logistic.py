# Logistic regression on frozen features of any backbone:
# folders of images, data/cifar10/{train,val}/<class>/*, 64 px.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_logistic.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "library"

protocol = dict(id="own-logistic", version=1, dataset="CIFAR-10, own subset", image_size=64)

model = dict(
    backbone=dict(_base_.of_weights, img_size=64),
    num_classes=10,
    data_preprocessor=dict(num_classes=10),
)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=100,
    drop_last=False,
    dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline),
)
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=100)
