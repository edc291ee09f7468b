# Images of 12 instead of 192 px are predicted
# (https://arxiv.org/abs/2111.09886, sections 3.4 and 4.1.4).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-resolution-12")

model = dict(target=dict(type="simmim_bench.DownsampledRGB", stride=16))
