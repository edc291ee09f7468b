# NYU Depth v2 in mmseg's layout, whole images of 480 x 640 px, depth maps in millimetres.
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="simmim_bench.EndlessSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.NYUDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/nyu",
        data_prefix=dict(img_path="images/train", depth_map_path="annotations/train"),
        pipeline=[
            # one view of each image, so that features are computed once
            dict(type="simmim_bench.FixedView"),
            dict(type="simmim_bench.LoadImage"),
            dict(type="simmim_bench.LoadDepth", scale=0.001),
            dict(type="Resize", scale=(640, 480), keep_ratio=False),
            dict(type="RandomFlip", prob=0.5),
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
        type="simmim_bench.NYUDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/nyu",
        data_prefix=dict(img_path="images/test", depth_map_path="annotations/test"),
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(640, 480), keep_ratio=False),
            # after Resize: predictions are compared at the image's own size
            dict(type="simmim_bench.LoadDepth", scale=0.001),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
# Eigen's crop and range of depth: mmsegmentation 1.2, configs/_base_/datasets/nyu.py
val_evaluator = dict(
    type="simmim_bench.DepthMetric",
    min_depth_eval=0.001,
    max_depth_eval=10.0,
    crop_type="nyu_crop",
)
test_evaluator = val_evaluator
