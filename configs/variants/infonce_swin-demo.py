# Similarity-guided SimMIM on the demo images: a reconstruction must find its original among those
# of the batch, by features of the encoder, which learns from it.
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
    # not tuned; reconstructions are grey at first
    weight=dict(value=0.1, schedule="linear", until=0.2),
)
