# 40 000 iterations, as DINOv3's linear head on ADE20K
# (https://github.com/facebookresearch/dinov3, eval/segmentation/config.py); warm-up and cosine are
# ours.
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="CosineAnnealingLR", eta_min=0.0, by_epoch=False, begin=1500, end=40000),
]
train_cfg = dict(type="IterBasedTrainLoop", max_iters=40000, val_interval=40000)
