# SimMIM on the demo images with the light transformer of sparse SimMIM as the head: one block of
# MAE's decoder.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-transformer", backbone="swin-demo")

model = dict(
    backbone=_base_.swin_demo,
    decoder=dict(type="simmim_bench.LightTransformerDecoder", width=128, depth=1, heads=4),
)
