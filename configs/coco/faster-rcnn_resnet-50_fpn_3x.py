# Faster R-CNN with FPN on ResNet-50, 36 epochs at several scales, batch 16.
# Values: mmdetection 3.3, configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py, with the changes
# that mask-rcnn_resnet-50_fpn_3x.py names.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/coco.py",
    "../_base_/protocols/coco_boxes.py",
    "../_base_/schedules/coco_3x.py",
]
default_scope = "mmdet"
backbone_name = "resnet-50"
protocol = dict(id="coco-faster-rcnn-3x", image_size=[800, 1333], epochs=36)

model = dict(
    _base_.faster_rcnn,
    backbone=dict(_base_.resnet_50, out_indices=(0, 1, 2, 3)),
    neck=dict(
        type="FPN",
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        norm_cfg=dict(type="SyncBN"),
        num_outs=5,
    ),
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    batch_size=2,  # x 8 devices = 16
    dataset=dict(pipeline=[_base_.multi_scale[0], _base_.load_boxes, *_base_.multi_scale[2:]]),
)
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator

# configs/_base_/schedules/schedule_1x.py
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type="MultiStepLR", milestones=[27, 33], gamma=0.1, by_epoch=True, begin=0, end=36),
]
