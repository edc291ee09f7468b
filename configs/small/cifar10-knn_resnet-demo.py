# k-NN of a ResNet on CIFAR-10 as folders of images:
# data/cifar10/{train,val}/<class>/*. Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # unused; part of the config's hash
    "../_base_/models/resnet-demo.py",
    "../_base_/tasks/small_cifar10-knn.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "resnet-demo"
backbone_init = "original"  # initial weights of He et al., fan out

model = dict(
    backbone=_base_.resnet_demo,
    channels=256,
)
# training images are prepared as validation images are
train_dataloader = dict(dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline))
