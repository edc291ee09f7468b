# The small k-NN on CIFAR-10 with a plain CNN.
_base_ = ["./cifar10-knn_swin-demo.py", "../_base_/models/cnn-demo.py"]
backbone_name = "cnn-demo"
backbone_init = "original"  # He et al., fan out

model = dict(backbone=dict(_delete_=True, **_base_.cnn_demo))
