# SimMIM on the demo images with a U-shaped head that reads every stage of Swin, as SparK's reads
# every stage of a CNN (https://arxiv.org/abs/2301.03580, section 3.3).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-unet", backbone="swin-demo")

model = dict(
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    decoder=dict(type="simmim_bench.UNetDecoder"),
)
