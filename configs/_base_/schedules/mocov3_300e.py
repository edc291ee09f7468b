# MoCo v3's 300 epochs, batch 4096: https://arxiv.org/abs/2104.02057, section 4.4;
# https://github.com/facebookresearch/moco-v3, CONFIG.md.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # main_moco.py: autocast
    optimizer=dict(type="AdamW", lr=2.4e-3, weight_decay=0.1),
)
find_unused_parameters = True
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-4, by_epoch=True, end=40, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=40,
        end=300,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=300)
auto_scale_lr = dict(base_batch_size=4096)
