# Inverse Swin-T as the head instead of a linear layer
# (https://arxiv.org/abs/2111.09886, sections 3.3 and 4.1.3).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-head-inverse-swin-t")

model = dict(
    decoder=dict(_delete_=True, type="simmim_bench.InverseSwinDecoder", arch="tiny", window_size=6)
)
