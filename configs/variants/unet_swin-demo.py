# SimMIM with a U-shaped head that gets every stage of Swin, as SparK's behind a CNN
# (https://arxiv.org/abs/2301.03580, section 3.3).
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-unet")

model = dict(
    backbone=dict(out_indices=(0, 1, 2, 3)),
    decoder=dict(_delete_=True, type="simmim_bench.UNetDecoder"),
)
