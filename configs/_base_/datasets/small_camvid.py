# CamVid in ADE20K's layout, 11 classes: data/camvid, 96 x 128 px.
resize = dict(type="Resize", scale=(128, 96), keep_ratio=False)
ignored_share = 0.15  # of the pixels, at most: label 0 is unlabelled
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/camvid",
        data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
        num_classes=11,
        reduce_zero_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", reduce_zero_label=True),
            resize,
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackSegInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/camvid",
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
        num_classes=11,
        reduce_zero_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations", reduce_zero_label=True),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
