# Sparse SimMIM as MAE (https://arxiv.org/abs/2111.06377): a plain ViT-B encodes visible tokens
# only; SimMIM's recipe, target and mask (32 px, 0.6).
_base_ = ["../simmim/plain-vit-b_8xb128.py"]
pretraining = dict(method="simmim-sparse")

model = dict(
    type="simmim_bench.SparseSimMIM",
    decoder=dict(
        _delete_=True,
        type="simmim_bench.LightTransformerDecoder",
        width=512,
        depth=1,  # MAE, table 1a: fine-tuned, 1 block is as good as 8
        heads=16,
    ),
)
