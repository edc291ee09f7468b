# 24 epochs of any pretrained backbone on little data, small batches. AdamW as SimMIM's fine-tuning
# (main_finetune.py). The rate is between 6e-5 and 5.5e-4, what its 5e-3 at batch 2048 becomes at
# batch 25 by the linear and by the square-root rule; nothing was tuned.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=2.5e-4, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=2.5e-6,
        by_epoch=True,
        begin=0,
        end=24,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=24, val_interval=24)
val_cfg = dict()
test_cfg = dict()
