# SimMIM on the demo images with a second loss: the encoder's features of the reconstruction must
# equal those of the original. This loss does not train the encoder (docs/similarity.md).
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
    # The largest of 0.5, 0.1 and 0.02 that did not raise the L1 loss in 80 steps on photographs.
    # It grows from 0, because features mean little at first.
    weight=dict(value=0.1, schedule="linear", until=0.2),
)
