# SimMIM's fine-tuning, batch 1024: configs/*/simmim_finetune__*.yaml; learning rates x 1024 / 512.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(
        type="AdamW",
        lr=2.5e-3,  # BASE_LR 1.25e-3 x 2
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=20,
    warmup_factor=2e-4,  # WARMUP_LR 2.5e-7 x 2 = 5e-7
    min_factor=2e-4,  # MIN_LR 2.5e-7 x 2 = 5e-7
    end=100,  # warm-up included
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=1024)
