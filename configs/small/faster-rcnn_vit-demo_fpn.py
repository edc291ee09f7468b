# Faster R-CNN on a ViT through a simple feature pyramid, as in ViTDet: boxes of a hundred COCO
# images at 128 px, data/coco.
# Other data in COCO's layout: --data-root FOLDER --num-classes N.
# Values: mask-rcnn_vit-demo_fpn.py. No masks: tasks/boxes.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/vit-demo.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/small_coco.py",
    "../_base_/datasets/small_boxes.py",
    "../_base_/schedules/small_mask-rcnn.py",
]
backbone_name = "vit-demo"
protocol = dict(
    id="small-coco-faster-rcnn-vitdet",
    dataset="COCO 2017, own subset",
    image_size=128,
    epochs=12,
    metrics=dict(_delete_=True, box_ap="coco/bbox_mAP"),
)

model = dict(
    _base_.faster_rcnn,
    # every image becomes 128 x 128
    data_preprocessor=dict(pad_mask=False, pad_size_divisor=128),
    backbone=dict(
        _base_.vit_demo,
        type="simmim_bench.WindowedBEiTViT",
        img_size=128,
        window_size=8,  # the token grid of pretraining
        global_blocks=(2, 5),
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="featmap",
        out_indices=[5],
    ),
    neck=dict(type="simmim_bench.SimpleFeaturePyramid", in_channels=128, out_channels=64),
    # strides for a patch size of 8; anchors and object sizes per level as for the Swin
    rpn_head=dict(anchor_generator=dict(scales=[8], strides=[2, 4, 8, 16, 32])),
    roi_head=dict(
        _base_.faster_rcnn.roi_head,
        bbox_roi_extractor=dict(featmap_strides=[2, 4, 8, 16]),
        bbox_head=dict(num_classes=80),
    ),
)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_boxes))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_boxes))
test_dataloader = val_dataloader
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
