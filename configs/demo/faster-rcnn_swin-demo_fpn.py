# Faster R-CNN with FPN on the demo's Swin: boxes of the demo's scenes, 96 px, batch 8.
# Values: mask-rcnn_swin-demo_fpn.py. No masks: tasks/boxes.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/demo_coco.py",
    "../_base_/schedules/demo_mask-rcnn.py",
]
backbone_name = "swin-demo"
protocol = dict(id="demo-faster-rcnn", metrics=dict(_delete_=True, box_ap="coco/bbox_mAP"))

model = dict(
    _base_.faster_rcnn,
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", in_channels=[32, 64, 128, 256], out_channels=64, num_outs=5),
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            _base_.train_dataloader.dataset.pipeline[0],
            _base_.load_boxes,
            *_base_.train_dataloader.dataset.pipeline[2:],
        ]
    )
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.val_dataloader.dataset.pipeline[:2],
            _base_.load_boxes,
            _base_.val_dataloader.dataset.pipeline[3],
        ]
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
