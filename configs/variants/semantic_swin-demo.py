# SimMIM on the demo's scenes with masks that follow objects: up to half of the masked patches are
# taken from regions of the label map. 2000 scenes with label maps replace the 12000 unlabelled
# images; 30 epochs of 31 steps are as long as the demo's 5 of 187. Not from a paper.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_scenes.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-semantic", backbone="swin-demo", dataset="simmim_bench demo, scenes", epochs=30
)

model = dict(
    backbone=_base_.swin_demo,
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=6, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=6,
        end=30,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=30)
