# Similarity-guided SimMIM on the demo images: a reconstruction must find its original among those
# of the batch, by features of the encoder, which learns from it.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-infonce")

model = dict(
    type="simmim_bench.SimilaritySimMIM",
    features=dict(type="simmim_bench.OwnFeatures", learn=True),
    distance=dict(type="simmim_bench.InfoNCE", temperature=0.2),  # MoCo v3, section 4.4
    # not tuned; reconstructions are grey at first
    weight=dict(value=0.1, schedule="linear", until=0.2),
)
