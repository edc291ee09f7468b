# Mask R-CNN with FPN on Swin-B, 12 epochs at one scale, batch 16.
# Values: mmdetection 3.3, configs/swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py; for Swin-B
# Swin-Transformer-Object-Detection, configs/swin/cascade_mask_rcnn_swin_base_*_3x_coco.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/schedules/coco_1x.py",
]
default_scope = "mmdet"
backbone_name = "swin-b"
protocol = dict(
    id="coco-mask-rcnn-1x",
    version=2,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=[800, 1333],
    epochs=12,
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
train_dataloader = dict(batch_size=2)  # x 8 devices = 16
