# SimMIM on the demo images with a second loss: by the encoder's features, a reconstruction must be
# closer to its original than to the other images of the batch. This loss also trains the encoder.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-infonce", backbone="swin-demo")

model = dict(
    type="simmim_bench.SimilaritySimMIM",
    backbone=_base_.swin_demo,
    features=dict(type="simmim_bench.OwnFeatures", learn=True),
    distance=dict(type="simmim_bench.InfoNCE", temperature=0.2),  # MoCo v3, section 4.4
    # Not tuned. It grows from 0, because reconstructions are grey at first.
    weight=dict(value=0.1, schedule="linear", until=0.2),
)
