# ImageNet-1k training images without labels, as BEiT crops and masks them at 224 px:
# https://github.com/microsoft/unilm, beit/datasets.py and run_beit_pretraining.py.
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
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
            dict(type="RandomFlip", prob=0.5, direction="horizontal"),
            dict(
                type="RandomResizedCropAndInterpolationWithTwoPic",
                size=224,
                second_size=112,  # the tokenizer's stride is 8
                interpolation="bicubic",
                second_interpolation="lanczos",
                scale=(0.08, 1.0),
            ),
            dict(
                type="BEiTMaskGenerator",
                input_size=(14, 14),
                num_masking_patches=75,
                max_num_patches=None,
                min_num_patches=16,
            ),
            dict(type="PackInputs"),
        ],
    ),
)
