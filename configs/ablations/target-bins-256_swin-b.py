# 256 bins a channel are classified (https://arxiv.org/abs/2111.09886, sections 3.4 and 4.1.4).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-target-bins-256")

model = dict(
    target=dict(type="simmim_bench.ColourBins", bins=256),
    # a linear layer to all classes of 32 x 32 pixels would have 805 million weights
    decoder=dict(_delete_=True, type="simmim_bench.ConvDecoder"),
    loss=dict(_delete_=True, type="simmim_bench.MaskedCrossEntropyLoss"),
)
