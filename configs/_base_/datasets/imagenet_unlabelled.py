# ImageNet-1k training images without labels; each leaf states its pipeline.
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet/",
        data_prefix="train",
        with_label=False,
    ),
)
