# The demo's Mask R-CNN on a hundred COCO images at 128 px: data/coco. AP stays near 0 at this
# size; it shows that data of one's own run through the real machinery.
# Other data in COCO's layout: --data-root FOLDER --num-classes N.
_base_ = ["../demo/mask-rcnn_swin-demo_fpn.py"]
protocol = dict(
    id="small-coco-mask-rcnn", dataset="COCO 2017, own subset", image_size=128, epochs=12
)

model = dict(
    roi_head=dict(bbox_head=dict(num_classes=80), mask_head=dict(num_classes=80)),
)
resize = dict(type="Resize", scale=(128, 128), keep_ratio=True)
train_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            resize,
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="PackDetInputs"),
        ],
    )
)
test_dataloader = val_dataloader
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=12,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=12, val_interval=12)
