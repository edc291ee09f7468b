# SimMIM pretraining that goes on from weights of a ResNet-50 (--init: timm, torchvision, a file),
# 64 px, on about a thousand photographs of your own, in folders or not: --data NAME,
# data/imagenet/train, or --data-root FOLDER.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/small_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="resnet-50")

model = dict(backbone=dict(_base_.resnet_50, norm_cfg=dict(type="BN")))  # one device
train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet", data_prefix="train")
)
# between 2.5e-5 and 1.4e-4, what SimMIM's 8e-4 at batch 2048 becomes at batch 64 by the linear and
# by the square-root rule; nothing was tuned
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], eta_min=1e-6),
]
