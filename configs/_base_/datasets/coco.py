# COCO 2017 at one scale: mmdetection 3.3, configs/_base_/datasets/coco_instance.py.
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    batch_sampler=dict(type="AspectRatioBatchSampler"),
    dataset=dict(
        type="simmim_bench.CocoLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017/"),
        num_classes=80,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="Resize", scale=(1333, 800), keep_ratio=True),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.CocoLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/instances_val2017.json",
        data_prefix=dict(img="val2017/"),
        num_classes=80,
        test_mode=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(1333, 800), keep_ratio=True),
            dict(type="LoadAnnotations", with_bbox=True),  # for the report by class
            dict(type="PackDetInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="simmim_bench.CocoMetric", metric=["bbox", "segm"])
test_evaluator = val_evaluator

# Metrics of the leaves: AP over overlaps of 0.5 to 0.95, at 0.5, at 0.75; of small, medium and
# large objects. https://cocodataset.org/#detection-eval
figures = dict(
    box_ap="coco/bbox_mAP",
    box_ap50="coco/bbox_mAP_50",
    box_ap75="coco/bbox_mAP_75",
    box_aps="coco/bbox_mAP_s",
    box_apm="coco/bbox_mAP_m",
    box_apl="coco/bbox_mAP_l",
    mask_ap="coco/segm_mAP",
    mask_ap50="coco/segm_mAP_50",
    mask_ap75="coco/segm_mAP_75",
    mask_aps="coco/segm_mAP_s",
    mask_apm="coco/segm_mAP_m",
    mask_apl="coco/segm_mAP_l",
)

# Several scales, as DETR: half of the images are cropped between two resizings.
# Swin-Transformer-Object-Detection, configs/swin/mask_rcnn_swin_small_*_3x_coco.py.
sides = [(side, 1333) for side in range(480, 801, 32)]
multi_scale = [
    dict(type="simmim_bench.LoadImage"),
    dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="RandomFlip", prob=0.5),
    dict(
        type="RandomChoice",
        transforms=[
            [dict(type="RandomChoiceResize", scales=sides, keep_ratio=True)],
            [
                dict(
                    type="RandomChoiceResize",
                    scales=[(400, 1333), (500, 1333), (600, 1333)],
                    keep_ratio=True,
                ),
                dict(
                    type="RandomCrop",
                    crop_type="absolute_range",
                    crop_size=(384, 600),
                    allow_negative_crop=True,
                ),
                dict(type="RandomChoiceResize", scales=sides, keep_ratio=True),
            ],
        ],
    ),
    dict(type="PackDetInputs"),
]
