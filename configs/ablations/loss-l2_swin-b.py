# L2 loss instead of L1 (https://arxiv.org/abs/2111.09886, section 3.4).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-loss-l2")

model = dict(loss=dict(_delete_=True, type="simmim_bench.MaskedL2Loss"))
