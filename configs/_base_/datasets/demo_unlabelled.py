# The demo's unlabelled images at 64 px, masked as SimMIM does.
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    drop_last=True,
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo",
        data_prefix="unlabelled",
        with_label=False,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # crop scale: SimMIM, appendix A
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.67, 1.0),
                interpolation="bicubic",
            ),
            # mask ratio 0.6: SimMIM, section 4.1.2; a quarter of the image side per mask patch
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ],
    ),
)
