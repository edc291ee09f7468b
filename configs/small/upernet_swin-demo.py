# The demo's UperNet on CamVid in ADE20K's layout at 128 x 96: data/camvid.
# Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = ["../demo/upernet_swin-demo.py"]
protocol = dict(
    id="small-camvid-upernet", dataset="CamVid, 11 classes", image_size=[96, 128], epochs=12
)

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    # classes of comparable size: no weights
    decode_head=dict(loss_decode=dict(class_weight=None)),
    auxiliary_head=dict(loss_decode=dict(class_weight=None)),
)
resize = dict(type="Resize", scale=(128, 96), keep_ratio=False)
train_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/camvid",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", reduce_zero_label=True),
            resize,
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackSegInputs"),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/camvid",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations", reduce_zero_label=True),
            dict(type="PackSegInputs"),
        ],
    )
)
test_dataloader = val_dataloader
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=0,
        end=12,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=12, val_interval=12)
