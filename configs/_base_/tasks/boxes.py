# Boxes without masks: what Faster R-CNN changes in Mask R-CNN and its data, for the leaves.
# mmdetection 3.3, configs/_base_/models/faster-rcnn_r50_fpn.py and datasets/coco_detection.py: no
# mask head, no masks in the batch, and an object that no proposal overlaps by half gets none.
faster_rcnn = dict(
    type="FasterRCNN",
    data_preprocessor=dict(pad_mask=False),
    roi_head=dict(mask_roi_extractor=None, mask_head=None),
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))),
)
load_boxes = dict(type="LoadAnnotations", with_bbox=True)
