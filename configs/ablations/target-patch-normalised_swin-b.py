# Each patch is normalised by itself (https://arxiv.org/abs/2111.06377, norm_pix_loss).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-target-patch-normalised")

model = dict(target=dict(type="simmim_bench.PatchNormalisedRGB", patch_size=32))
