# ResNet-50: https://arxiv.org/abs/1512.03385, table 1. Nothing is frozen: it is pretrained here.
resnet_50 = dict(
    type="mmpretrain.ResNet",
    depth=50,
    out_indices=(3,),
    frozen_stages=-1,
    norm_eval=False,
    norm_cfg=dict(type="SyncBN", requires_grad=True),
)
# Convolutions start as He et al. (fan out), norms at 1: torchvision, models/resnet.py.
backbone_init = "original"
