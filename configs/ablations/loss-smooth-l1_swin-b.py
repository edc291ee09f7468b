# Smooth L1 loss instead of L1 (https://arxiv.org/abs/2111.09886, section 3.4).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-loss-smooth-l1")

model = dict(loss=dict(_delete_=True, type="simmim_bench.MaskedSmoothL1Loss"))
