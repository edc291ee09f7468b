# MAE's 800 epochs, batch 4096: https://arxiv.org/abs/2111.06377, table 8;
# https://github.com/facebookresearch/mae, main_pretrain.py.
# Biases and norms do not decay, as in MAE (timm's add_weight_decay), nor does the class token,
# which does there; the mask token decays in both, and position embeddings are constants.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # engine_pretrain.py: autocast
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(
        type="AdamW",
        lr=2.4e-3,  # 1.5e-4 x 4096 / 256
        weight_decay=0.05,
        betas=(0.9, 0.95),
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-9, by_epoch=True, end=40, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=40,
        end=800,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=800)
auto_scale_lr = dict(base_batch_size=4096)
