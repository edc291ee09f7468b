# SimMIM on the demo images with a plain CNN: hidden pixels are one learned colour, as A2MIM's
# (https://arxiv.org/abs/2205.13943) nearly are.
_base_ = ["../demo/simmim_swin-demo.py", "../_base_/models/cnn-demo.py"]
pretraining = dict(backbone="cnn-demo")

model = dict(
    backbone=dict(_delete_=True, **_base_.cnn_demo),
    init_cfg=None,  # convolutions as He et al., fan out
)
