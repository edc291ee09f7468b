# SimMIM pretraining of a Swin with 2.3 M parameters on the unlabelled demo images, 64 px, batch 64.
# Values without a source were chosen on training data for two CPU cores.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="swin-demo")

model = dict(backbone=_base_.swin_demo)
