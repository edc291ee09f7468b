# 30 epochs of COCO's captions, batch 256. Betas: CLIP, table 18; the schedule is ours.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=5e-4, weight_decay=0.2, betas=(0.9, 0.98), eps=1e-6),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=3,
    warmup_factor=1e-3,
    min_factor=1e-3,
    end=30,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=30, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
