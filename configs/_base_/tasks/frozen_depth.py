# Depth by a linear layer on frozen features: bins, their weights, enlarging and loss of DINOv2's
# linear head (https://github.com/facebookresearch/dinov2, dinov2/eval/depth). The batch norm is
# ours: features of other methods than DINOv2 differ in scale. Of rmse and
# abs_rel smaller is better: they are in records, not in tables.
default_scope = "mmseg"
protocol = dict(
    task="depth",
    metrics=dict(d1="d1", d2="d2", d3="d3", rmse="rmse", abs_rel="abs_rel"),
    primary="d1",
)
model = dict(
    type="simmim_bench.FrozenDepthEstimator",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=0,
    ),
    precision="float32",
    decode_head=dict(
        type="simmim_bench.LinearDepthHead",
        in_channels=0,
        bins=256,
        min_depth=0.001,
        max_depth=10.0,
        upsample=4,
        norm_cfg=dict(type="SyncBN", requires_grad=True),
    ),
)
