# Mask R-CNN with FPN on ConvNeXt-B, 36 epochs at several scales, batch 16.
# Values: ConvNeXt, object_detection/configs/convnext/
# cascade_mask_rcnn_convnext_base_patch4_window7_mstrain_480-800_giou_4conv1f_adamw_3x_coco_in1k.py
# (rate, layer decay, drop path); augmentation as for Swin-B.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/convnext-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/schedules/coco_3x.py",
]
default_scope = "mmdet"
backbone_name = "convnext-b"
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
        _base_.convnext_b,
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.7,
    ),
    neck=dict(type="FPN", in_channels=[128, 256, 512, 1024], out_channels=256, num_outs=5),
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    batch_size=2,  # x 8 devices = 16
    dataset=dict(pipeline=_base_.multi_scale),
)

optim_wrapper = dict(
    paramwise_cfg=dict(layer_decay=0.8),
    optimizer=dict(lr=2e-4),
)
