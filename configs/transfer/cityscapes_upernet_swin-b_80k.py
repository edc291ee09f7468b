# UperNet on Swin-B on Cityscapes, 80 000 iterations at 512 x 1024 px, batch 16.
# Data: mmsegmentation 1.2, configs/_base_/datasets/cityscapes.py; length: schedule_80k.py there;
# all else is the recipe of ADE20K (ade20k/upernet_swin-b_160k.py): methods are compared, not tuned.
_base_ = ["../ade20k/upernet_swin-b_160k.py"]
protocol = dict(
    id="cityscapes-upernet-80k", dataset="Cityscapes", image_size=[512, 1024], iterations=80000
)

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    decode_head=dict(num_classes=19),
    auxiliary_head=dict(num_classes=19),
)
home = "{{$SIMMIM_BENCH_DATA:data}}/cityscapes/"
labels = dict(num_classes=19, reduce_zero_label=False)  # 0 to 18, and 255 for the rest
train_dataloader = dict(
    dataset=dict(
        **labels,
        data_root=home,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            dict(type="RandomResize", scale=(2048, 1024), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type="RandomCrop", crop_size=(512, 1024), cat_max_ratio=0.75),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PhotoMetricDistortion"),
            dict(type="PackSegInputs"),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        **labels,
        data_root=home,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(2048, 1024), keep_ratio=True),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    )
)
test_dataloader = val_dataloader
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(int(2048 * ratio), int(1024 * ratio)), keep_ratio=True)
    for ratio in _base_.ratios
]

param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, by_epoch=False, begin=1500, end=80000),
]
train_cfg = dict(max_iters=80000, val_interval=8000)
