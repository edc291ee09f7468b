# SimMIM on the demo's scenes with masks of whole objects: half of the hidden patches may be taken
# from regions of the label map. Ours. The 2000 scenes with maps take the place of the 12000
# unlabelled images; 30 epochs of 31 steps are the demo's 5 of 187.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-semantic", dataset="simmim_bench demo, scenes", epochs=30)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
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
    )
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=6, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=6,
        end=30,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=30)
