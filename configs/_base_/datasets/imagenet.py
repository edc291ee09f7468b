# ImageNet-1k as SimMIM fine-tunes on it at 224 px: data/data_finetune.py and config.py of
# https://github.com/microsoft/SimMIM. A leaf with another image size states its own pipelines.
bicubic = dict(backend="pillow", interpolation="bicubic")  # DATA.INTERPOLATION

# What follows the crop. Colour jitter 0.4 of the original has no effect: RandAugment replaces it.
augmentation = [
    dict(type="RandomFlip", prob=0.5, direction="horizontal"),
    # AUG.AUTO_AUGMENT
    dict(type="simmim_bench.RandAugment", policy="rand-m9-mstd0.5-inc1", interpolation="bicubic"),
    # AUG.REPROB: 0.25, AUG.REMODE: pixel, AUG.RECOUNT: 1; areas and ratios of timm 0.4.12
    dict(
        type="RandomErasing",
        erase_prob=0.25,
        mode="rand",
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        aspect_range=(0.3, 1 / 0.3),
        fill_color=[103.53, 116.28, 123.675],
        fill_std=[57.375, 57.12, 58.395],
    ),
    dict(type="PackInputs"),
]

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
        with_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="RandomResizedCrop", scale=224, crop_ratio_range=(0.08, 1.0), **bicubic),
            *augmentation,
        ],
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet/",
        data_prefix="val",
        with_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ResizeEdge", scale=256, edge="short", **bicubic),  # 256 / 224 x 224
            dict(type="CenterCrop", crop_size=224),
            dict(type="PackInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="Accuracy", topk=(1, 5))
test_evaluator = val_evaluator
