# SimMIM of the demo: as simmim.py, with torch's own initial weights.
model = dict(
    type="simmim_bench.SimMIM",
    init_cfg=[],  # torch's own initial weights; swin-demo.py says why
    decoder=dict(type="simmim_bench.LinearDecoder"),
    loss=dict(type="simmim_bench.MaskedL1Loss"),
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
