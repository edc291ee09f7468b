# Patches on a regular grid are masked instead of random ones: not in the paper; as even as a
# mask of that ratio can be.
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-masking-grid")

train_dataloader = _base_.train_dataloader
train_dataloader.dataset.pipeline[3].strategy = "grid"
