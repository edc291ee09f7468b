# 2 epochs of the demo's questions, batch 100. The rate is that of the demo's classifier; nothing
# was tuned.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.05, betas=(0.9, 0.98)),
    clip_grad=dict(max_norm=5.0),
)
# about five questions an image: 2 epochs see each image as often as 10 of the captions
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=20),
    dict(
        type="CosineAnnealingLR",
        eta_min=1.5e-5,
        by_epoch=True,
        end=2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=2, val_interval=2)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=100)
