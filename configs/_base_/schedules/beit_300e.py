# BEiT's 300 epochs, batch 2048: https://arxiv.org/abs/2106.08254, appendix;
# https://github.com/microsoft/unilm, beit/run_beit_pretraining.py.
# One-dimensional parameters, biases and the class token do not decay: optim_factory.py.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # beit/engine_for_pretraining.py: autocast
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=3.0),
)
find_unused_parameters = True
param_scheduler = [
    # from 0 (utils.py, cosine_scheduler)
    dict(type="LinearLR", start_factor=1e-9, by_epoch=True, end=10, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=10,
        end=300,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=300)
auto_scale_lr = dict(base_batch_size=2048)
