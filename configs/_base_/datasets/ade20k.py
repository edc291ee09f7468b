# ADE20K at 512 px: mmsegmentation 1.2, configs/_base_/datasets/ade20k.py.
ignored_share = 0.3  # of the pixels, at most: label 0 of ADE20K is "other"
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="simmim_bench.EndlessSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/ade/ADEChallengeData2016/",
        data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
        num_classes=150,
        reduce_zero_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            dict(type="RandomResize", scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type="RandomCrop", crop_size=(512, 512), cat_max_ratio=0.75),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PhotoMetricDistortion"),
            dict(type="PackSegInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/ade/ADEChallengeData2016/",
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
        num_classes=150,
        reduce_zero_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(2048, 512), keep_ratio=True),
            # after Resize: predictions are compared at the image's own size
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator

# simmim-bench test --tta: several scales, each as it is and flipped; mmsegmentation 1.2, same file.
ratios = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
tta_model = dict(type="SegTTAModel")
tta_pipeline = [
    dict(type="simmim_bench.LoadImage"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(int(2048 * ratio), int(512 * ratio)), keep_ratio=True)
                for ratio in ratios
            ],
            [
                dict(type="RandomFlip", prob=0.0, direction="horizontal"),
                dict(type="RandomFlip", prob=1.0, direction="horizontal"),
            ],
            [dict(type="LoadAnnotations")],
            [dict(type="PackSegInputs")],
        ],
    ),
]
