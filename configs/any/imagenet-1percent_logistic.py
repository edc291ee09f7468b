# Logistic regression on frozen features of any backbone:
# 1 % of ImageNet's labels at 224 px, the same images for everyone.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_logistic.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "original"

protocol = dict(
    id="imagenet-1percent-224-logistic",
    version=1,
    dataset="ImageNet-1k, 1 % of the labels",
    image_size=224,
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
    drop_last=False,
    dataset=dict(
        type="simmim_bench.FewShotDataset",
        share=0.01,
        list_number=0,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    ),
)
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=128)
