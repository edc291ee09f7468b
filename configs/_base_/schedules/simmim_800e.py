# SimMIM's 800 epochs, batch 1024: https://github.com/microsoft/Swin-Transformer,
# configs/simmim/simmim_pretrain__*__800ep.yaml (batch 2048).
# Learning rates of the original x batch / 512 = x 2, as its main_simmim.py scales them.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),  # decay rules only
    optimizer=dict(
        type="AdamW",
        lr=2e-4,  # BASE_LR 1e-4 x 2
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),  # TRAIN.CLIP_GRAD
)
param_scheduler = dict(
    type="simmim_bench.WarmupMultiStepLR",
    warmup=10,  # WARMUP_EPOCHS
    warmup_factor=0.005,  # WARMUP_LR 5e-7 x 2 = 1e-6
    milestones=[700],  # LR_SCHEDULER.MULTISTEPS
    gamma=0.1,  # LR_SCHEDULER.GAMMA
    end=800,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=800)
auto_scale_lr = dict(base_batch_size=1024)
