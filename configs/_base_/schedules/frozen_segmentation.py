# A linear layer on frozen maps, batch 16: optimizer, rate and clipping of DINOv3
# (https://github.com/facebookresearch/dinov3, eval/segmentation/config.py). Warm-up and cosine are
# ours; the leaf states the length.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=1e-2, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=35.0),
)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=16)
