# Similarity-guided SimMIM on the demo images: what is painted must also have the features of the
# original, by the encoder itself, whose weights count as constants there (docs/similarity.md).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-cosine", backbone="swin-demo")

model = dict(
    type="simmim_bench.SimilaritySimMIM",
    backbone=_base_.swin_demo,
    features=dict(type="simmim_bench.OwnFeatures", learn=False),
    distance=dict(type="simmim_bench.CosineDistance"),
    # of 0.5, 0.1 and 0.02 the largest that left the L1 of 80 steps on photographs as it is without;
    # rises, since features mean little at first
    weight=dict(value=0.1, schedule="linear", until=0.2),
)
