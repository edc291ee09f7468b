# Faster R-CNN with FPN on Swin-B, 36 epochs at several scales, batch 16.
# Values and their sources: mask-rcnn_swin-b_fpn_3x.py; no masks: tasks/boxes.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/coco.py",
    "../_base_/protocols/coco_boxes.py",
    "../_base_/schedules/coco_3x.py",
]
default_scope = "mmdet"
backbone_name = "swin-b"
protocol = dict(id="coco-faster-rcnn-3x", image_size=[800, 1333], epochs=36)

model = dict(
    _base_.faster_rcnn,
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
    dataset=dict(pipeline=[_base_.multi_scale[0], _base_.load_boxes, *_base_.multi_scale[2:]]),
)
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
