# Convolutions and upsampling as the head instead of a linear layer;
# not in the paper.
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-head-conv")

model = dict(decoder=dict(_delete_=True, type="simmim_bench.ConvDecoder"))
