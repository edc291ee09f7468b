# 36 epochs, batch 16: mmdetection 3.3, configs/swin/mask-rcnn_swin-t-p4-w7_fpn_ms-crop-3x_coco.py.
# (Swin-Transformer-Object-Detection warms up for 500 iterations.)
# Biases and norms do not decay, as in SimMIM's code; mmdetection lets biases decay.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # Swin-Transformer-Object-Detection: use_fp16
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05, betas=(0.9, 0.999), eps=1e-8),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type="MultiStepLR", milestones=[27, 33], gamma=0.1, by_epoch=True, begin=0, end=36),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=36, val_interval=3)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
