# Faster R-CNN with FPN on the demo's Swin: boxes of a hundred COCO images at 128 px, data/coco. AP
# stays near 0 at this size; the run shows that your own data pass through the whole detector.
# Other data in COCO's layout: --data-root FOLDER --num-classes N.
# Values: mask-rcnn_swin-demo_fpn.py. No masks: tasks/boxes.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/small_coco.py",
    "../_base_/datasets/small_boxes.py",
    "../_base_/schedules/small_mask-rcnn.py",
]
backbone_name = "swin-demo"
protocol = dict(
    id="small-coco-faster-rcnn",
    dataset="COCO 2017, own subset",
    image_size=128,
    epochs=12,
    metrics=dict(_delete_=True, box_ap="coco/bbox_mAP"),
)

model = dict(
    _base_.faster_rcnn,
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", in_channels=[32, 64, 128, 256], out_channels=64, num_outs=5),
    roi_head=dict(_base_.faster_rcnn.roi_head, bbox_head=dict(num_classes=80)),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_boxes))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_boxes))
test_dataloader = val_dataloader
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
