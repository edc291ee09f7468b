# The first eight training images of COCO 2017 that have objects,
# for training and for validation: data/coco, 256 px.
resize = dict(type="Resize", scale=(256, 256), keep_ratio=True)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.CocoLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco",
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017"),
        filter_cfg=dict(filter_empty_gt=True),
        indices=8,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            resize,
            dict(type="PackDetInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.CocoLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco",
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017"),
        test_mode=False,  # True would keep images without objects: these are the trained ones
        filter_cfg=dict(filter_empty_gt=True),
        indices=8,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="PackDetInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
