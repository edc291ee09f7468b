# One linear layer on frozen features: MAE, main_linprobe.py, but on the average of the last map,
# since Swin has no class token, which MAE probes.
model = dict(
    type="simmim_bench.LinearProbe",
    neck=dict(type="GlobalAveragePooling"),
    head=dict(
        type="simmim_bench.LinearProbeHead",
        num_classes=1000,
        loss=dict(type="CrossEntropyLoss"),
        init_cfg=dict(type="TruncNormal", layer="Linear", std=0.01, bias=0.0),
    ),
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=1000,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
