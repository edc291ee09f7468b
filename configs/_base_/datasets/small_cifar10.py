# CIFAR-10 as folders of images, data/cifar10/{train,val}/<class>/*, treated as the demo's digits.
train_dataloader = dict(
    batch_size=25,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10",
        data_prefix="train",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # as the demo: mild crops and no flip
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
        data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10",
        data_prefix="val",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(64, 64), interpolation="bicubic"),
            dict(type="PackInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
