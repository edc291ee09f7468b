# ViTDet's 100 epochs for ViT-B, batch 64: https://arxiv.org/abs/2203.16527; detectron2,
# projects/ViTDet/configs/COCO/mask_rcnn_vitdet_b_100ep.py. Biases do not decay, as in SimMIM's
# code; in detectron2 they do.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # train.amp.enabled
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=0.7),
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.1, betas=(0.9, 0.999), eps=1e-8),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=250),
    # 163889 and 177546 of 184375 iterations
    dict(type="MultiStepLR", milestones=[89, 96], gamma=0.1, by_epoch=True, begin=0, end=100),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
