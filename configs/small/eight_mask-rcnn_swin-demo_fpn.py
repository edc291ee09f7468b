# Mask R-CNN on eight images, trained until it knows them by heart, and measured on the same images.
# This is a check of the detector, its data and its metric, not a result: box AP must come out far
# above 60 %. It takes the first eight images with objects of data/coco, or of --data-root FOLDER.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/datasets/small_coco-eight.py",
    "../_base_/schedules/small_mask-rcnn-eight.py",
]
backbone_name = "swin-demo"
protocol = dict(
    id="small-coco-eight",
    dataset="COCO 2017, eight images of train",
    split="train",
    image_size=256,
    epochs=200,
)

model = dict(
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", in_channels=[32, 64, 128, 256], out_channels=64, num_outs=5),
    roi_head=dict(bbox_head=dict(num_classes=80), mask_head=dict(num_classes=80)),
)
default_hooks = dict(checkpoint=dict(interval=50))
