# Sparse SimMIM after SparK (https://arxiv.org/abs/2301.03580) on the demo images with a plain CNN:
# convolutions do not see masked pixels, and a U-shaped decoder reads every stage. Masked squares
# are as large as a position of the last stage, 32 px; three of four are masked (0.6, rounded up).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # unused; part of the config's hash
    "../_base_/models/cnn-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim-sparse", backbone="cnn-demo")

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(_base_.cnn_demo, out_indices=(0, 1, 2, 3)),
    init_cfg=None,  # initial weights of He et al., fan out
    decoder=dict(type="simmim_bench.UNetDecoder"),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.train_dataloader.dataset.pipeline[:2],  # read and crop as the demo
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=32,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    )
)
