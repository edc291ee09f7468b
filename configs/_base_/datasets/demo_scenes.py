# The demo's scenes with label maps, for masks that follow objects, 64 px.
# The demo's unlabelled images at 64 px, masked as SimMIM does.
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    drop_last=True,
    dataset=dict(
        type="simmim_bench.SegLayoutDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/ade/ADEChallengeData2016",
        data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
        num_classes=11,
        reduce_zero_label=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="mmseg.LoadAnnotations", reduce_zero_label=True),
            # image and map: crops of 1 to 0.67 of a square image, as the demo's
            dict(
                type="RandomResize",
                scale=(64, 64),
                ratio_range=(1.0, 1.22),
                keep_ratio=False,
                interpolation="bicubic",
            ),
            dict(type="mmseg.RandomCrop", crop_size=(64, 64)),
            dict(
                type="simmim_bench.GenerateMask",
                strategy="semantic",
                region_share=0.5,
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ],
    ),
)
