# The small k-NN on CIFAR-10 with a ResNet.
_base_ = ["./cifar10-knn_swin-demo.py", "../_base_/models/resnet-demo.py"]
backbone_name = "resnet-demo"
backbone_init = "original"  # He et al., fan out

model = dict(backbone=dict(_delete_=True, **_base_.resnet_demo))
