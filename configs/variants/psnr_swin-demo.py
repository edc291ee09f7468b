# SimMIM on the demo images with the negative PSNR of the masked pixels as the loss. Not from a
# paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-psnr", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
    loss=dict(
        type="simmim_bench.MaskedPSNRLoss",
        data_range=4.42,  # 255 / 57.6, the mean of the preprocessor's std
        floor=1e-4,  # squared error at a PSNR of 53 dB
    ),
)
