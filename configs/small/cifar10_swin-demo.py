# Fine-tuning of the demo's Swin on CIFAR-10 as folders of images:
# data/cifar10/{train,val}/<class>/*. Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/demo_classification.py",
]
backbone_name = "swin-demo"
protocol = dict(id="small-cifar10", dataset="CIFAR-10, own subset")

model = dict(
    backbone=_base_.swin_demo,
    head=dict(in_channels=256),
)
