# Sparse SimMIM as GreenMIM (https://arxiv.org/abs/2205.13515): Swin-B encodes visible tokens only,
# one mask for the images of a device; SimMIM's recipe, target and mask (32 px, 0.6).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-sparse")

model = dict(
    type="simmim_bench.SparseSimMIM",
    one_mask_per_batch=True,  # GreenMIM, modeling/base_green_model.py
    decoder=dict(
        _delete_=True,
        type="simmim_bench.LightTransformerDecoder",
        width=512,  # GreenMIM, scripts/run_greenmim_swin_base.sh: dec512b1
        depth=1,
        heads=16,  # GreenMIM, modeling/base_green_model.py
    ),
)
