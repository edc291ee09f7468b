# MAE's linear probe, batch 16384: https://arxiv.org/abs/2111.06377, table 10;
# https://github.com/facebookresearch/mae, main_linprobe.py (blr 0.1 x 16384 / 256 = 6.4).
optim_wrapper = dict(
    type="AmpOptimWrapper",  # MAE, engine_finetune.py#L53: autocast
    optimizer=dict(type="LARS", lr=6.4, weight_decay=0.0, momentum=0.9),
    # util/lars.py: the rate of a parameter of one dimension is not scaled
    paramwise_cfg=dict(custom_keys={"bias": dict(lars_exclude=True)}),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-4, by_epoch=True, end=10, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=10,
        end=90,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=90, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16384)
