# Mask R-CNN with FPN on Swin-B, 36 epochs at several scales, batch 16.
# Values: Swin-Transformer-Object-Detection, configs/swin/mask_rcnn_swin_small_*_3x_coco.py and,
# for Swin-B, cascade_mask_rcnn_swin_base_*_3x_coco.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/schedules/coco_3x.py",
]
default_scope = "mmdet"
backbone_name = "swin-b"
protocol = dict(
    id="coco-mask-rcnn-3x",
    version=2,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=[800, 1333],
    epochs=36,
    metrics=_base_.figures,
    primary="box_ap",
)

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=224,  # for the size of windows only; any image size works
        window_size=7,
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,  # Cascade Mask R-CNN with Swin-B
    ),
    neck=dict(type="FPN", in_channels=[128, 256, 512, 1024], out_channels=256, num_outs=5),
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    batch_size=2,  # x 8 devices = 16
    dataset=dict(pipeline=_base_.multi_scale),
)
