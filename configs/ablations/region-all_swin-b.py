# All pixels are reconstructed, not only masked ones predicted
# (https://arxiv.org/abs/2111.09886, section 4.1.4).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-region-all")

model = dict(loss=dict(region="all"))
