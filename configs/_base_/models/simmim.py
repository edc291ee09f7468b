# SimMIM: masked tokens, one linear layer, L1 on masked pixels (models/simmim.py).
model = dict(
    type="simmim_bench.SimMIM",
    decoder=dict(type="simmim_bench.LinearDecoder"),
    loss=dict(type="simmim_bench.MaskedL1Loss"),
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
