# The demo's labelled images, one digit each, in ImageNet's layout.
train_dataloader = dict(
    batch_size=25,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/imagenet",
        data_prefix="train",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # mild crops, and no flip: it would change the digit
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.8, 1.0),
                interpolation="bicubic",
            ),
            dict(type="PackInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/imagenet",
        data_prefix="val",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(64, 64), interpolation="bicubic"),
            dict(type="PackInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
