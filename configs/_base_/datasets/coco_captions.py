# COCO 2017 with captions, 224 px. No flip: captions say left and right.
bicubic = dict(backend="pillow", interpolation="bicubic")
train_dataloader = dict(
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/captions_train2017.json",
        data_prefix=dict(img_path="train2017"),
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # random square crops: CLIP, section 2.4
            dict(type="RandomResizedCrop", scale=224, crop_ratio_range=(0.5, 1.0), **bicubic),
            dict(type="simmim_bench.PickCaption"),
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/captions_val2017.json",
        data_prefix=dict(img_path="val2017"),
        max_captions=5,  # Karpathy's protocol, https://arxiv.org/abs/1412.2306
        test_mode=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(224, 224), **bicubic),  # the whole image, as captions are
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
test_dataloader = val_dataloader
