# The demo's scenes, 96 px, with a depth of the order in which digits cover each other: background
# at 10 m, each layer at half the depth of the one behind it, so that no depth between two layers is
# right for both (delta1: 1.25 times).
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.DemoDepth",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        data_prefix=dict(img_path="train2017"),
        ann_file="annotations/instances_train2017.json",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="simmim_bench.OverlapDepth", background=10.0, ratio=2.0),
            dict(type="Resize", scale=(96, 96), keep_ratio=False),
            dict(type="PackSegInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.DemoDepth",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        data_prefix=dict(img_path="val2017"),
        ann_file="annotations/instances_val2017.json",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(96, 96), keep_ratio=False),
            # after Resize: predictions are compared at the image's own size
            dict(type="simmim_bench.OverlapDepth", background=10.0, ratio=2.0),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
# on the digits: 88 % of the pixels are background
val_evaluator = dict(type="simmim_bench.DepthMetric", max_depth_eval=9.0)
test_evaluator = val_evaluator
