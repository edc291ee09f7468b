# Segmentation of PASCAL VOC 2012, in ADE20K's layout: images as mmsegmentation 1.2,
# configs/_base_/datasets/pascal_voc12.py. Training images are the 1464 of VOC itself.
home = "{{$SIMMIM_BENCH_DATA:data}}/voc/"
labels = dict(num_classes=21, reduce_zero_label=False)  # 0 is the background; 255 for outlines

train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="simmim_bench.EndlessSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root=home,
        data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
        **labels,
        pipeline=[],  # the leaf's
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root=home,
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
        **labels,
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
