# The small CIFAR-10 of five labels a class with a ResNet.
_base_ = ["./cifar10-5shot_swin-demo.py", "../_base_/models/resnet-demo.py"]
backbone_name = "resnet-demo"
backbone_init = "original"  # He et al., fan out

model = dict(backbone=dict(_delete_=True, **_base_.resnet_demo))
