# ImageNet-1k training images without labels, as SimMIM crops and masks them for Swin at 192 px:
# config.py and data/data_simmim.py of https://github.com/microsoft/SimMIM.
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
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # torchvision's default interpolation: the original passes none here
            dict(
                type="RandomResizedCrop",
                scale=192,
                crop_ratio_range=(0.67, 1.0),
                aspect_ratio_range=(3 / 4, 4 / 3),
                backend="pillow",
                interpolation="bilinear",
            ),
            dict(type="RandomFlip", prob=0.5, direction="horizontal"),
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=32,  # DATA.MASK_PATCH_SIZE
                mask_ratio=0.6,  # DATA.MASK_RATIO
                token_size=4,  # px a side, Swin's patch and the stem of the CNNs
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ],
    ),
)
