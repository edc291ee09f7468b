# Attentive probe: one block of cross-attention looks at the frozen map, as V-JEPA's
# (https://arxiv.org/abs/2404.08471, section 4.2). Optimizer and rate: ours.
default_scope = "mmpretrain"
protocol = dict(
    task="classification",
    split="val",
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)
model = dict(
    type="simmim_bench.AttentiveClassifier",
    channels=0,
    num_classes=0,
    heads=8,
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    precision="float32",
)

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=5.0),
)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
