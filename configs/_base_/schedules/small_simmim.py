# 80 epochs of about a thousand photographs, batch 64: six minutes on two CPU cores.
pretraining = dict(dataset="ImageNet, own subset", epochs=80, image_size=64)
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=5.0),  # SimMIM, main_simmim.py
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=8, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=8,
        end=80,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=80)
auto_scale_lr = dict(base_batch_size=64)
