# Blocks are masked as in BEiT instead of random patches
# (https://arxiv.org/abs/2111.09886, sections 3.2 and 4.1.2).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-masking-blockwise")

train_dataloader = _base_.train_dataloader
train_dataloader.dataset.pipeline[3].strategy = "blockwise"
