# The demo's scenes with five captions each; every epoch draws one of them.
train_dataloader = dict(
    batch_size=50,
    num_workers=0,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        ann_file="annotations/captions_train2017.json",
        data_prefix=dict(img_path="train2017"),
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # no flip and no crop: captions say where a digit is
            dict(type="Resize", scale=(96, 96), interpolation="bicubic"),
            dict(type="simmim_bench.PickCaption"),
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
