# k-NN of any backbone on ImageNet at 224 px, average-pooled features: nothing is learned.
# Values: https://github.com/facebookresearch/dino, eval_knn.py, as in imagenet/swin-b_knn.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/models/knn.py",
    "../_base_/schedules/one_look.py",
    "../_base_/protocols/imagenet-knn-224.py",
]
default_scope = "mmpretrain"
backbone_name = "any"
backbone_init = "original"

model = dict(backbone=dict(_base_.of_weights, img_size=224), channels=0)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=128,
    drop_last=False,
    dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline),
)
val_evaluator = dict(_delete_=True, **_base_.votes)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=1024)
