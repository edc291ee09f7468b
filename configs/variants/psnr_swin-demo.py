# SimMIM with minus the PSNR of the masked pixels as the loss. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-psnr")

model = dict(
    loss=dict(
        _delete_=True,
        type="simmim_bench.MaskedPSNRLoss",
        data_range=4.42,  # 255 / 57.6, the mean of the preprocessor's std
        floor=1e-4,  # squared error of a PSNR of 53 dB
    )
)
