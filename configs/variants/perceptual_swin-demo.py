# SimMIM on the demo images with a second loss: the perceptual distance by four levels of a frozen
# Swin, pretrained by SimMIM, so that nothing has to be downloaded. Make it first:
#   simmim-bench train configs/demo/simmim_swin-demo.py
#   simmim-bench export work_dirs/simmim_swin-demo --out data/teachers/simmim_swin-demo
# Another file: --cfg-options model.features.checkpoint=FILE
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-perceptual", backbone="swin-demo")

model = dict(
    type="simmim_bench.SimilaritySimMIM",
    backbone=_base_.swin_demo,
    features=dict(
        type="simmim_bench.FrozenFeatures",
        checkpoint="{{$SIMMIM_BENCH_DATA:data}}/teachers/simmim_swin-demo/backbone.pth",
        levels=[0, 1, 2, 3],
    ),
    distance=dict(type="simmim_bench.PerceptualDistance"),
    weight=dict(value=0.1),  # not tuned
)
