# SimMIM on the demo images with transposed convolutions as the head. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-transposed", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
    decoder=dict(type="simmim_bench.TransposedConvDecoder"),
)
