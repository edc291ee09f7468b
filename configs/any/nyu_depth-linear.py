# Depth by a linear layer on frozen features of any backbone, the last four layers, resized to the
# largest map: NYU Depth v2, 38 400 iterations on whole images of 480 x 640 px, batch 16.
# Bins, normalisation, loss: https://github.com/facebookresearch/dinov2, eval/depth, where is no
# config of NYU: batch, length, warm-up and clipping are ours. DINOv2's images are random
# crops of 416 x 544 px, rotated and of other colours, and it averages over flips; here each image
# is seen in one view, the same in all epochs, so that its features are computed once. A Swin has
# its windows of 224 px, as in detection and UperNet.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_depth.py",
    "../_base_/datasets/nyu.py",
    "../_base_/schedules/frozen_segmentation.py",
]
backbone_name = "any"
backbone_init = "original"
protocol = dict(
    id="nyu-depth-linear",
    version=1,
    dataset="NYU Depth v2",
    split="test",
    image_size=[480, 640],
    iterations=38400,
)

model = dict(
    data_preprocessor=dict(size=(480, 640)),
    backbone=dict(_base_.of_weights, img_size=(480, 640), windows_at=224, layers=4),
    precision="bfloat16",
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(batch_size=2)  # x 8 devices = 16
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=False, begin=0, end=12800),
    dict(type="CosineAnnealingLR", eta_min=0.0, by_epoch=False, begin=12800, end=38400),
]
train_cfg = dict(type="IterBasedTrainLoop", max_iters=38400, val_interval=38400)
