# Mask R-CNN on eight images, trained until it knows them by heart, measured on those same images.
# No result: whoever doubts a detector, its data or its metric runs it; box AP must come out
# far above 60 %. data/coco, whose first eight images with objects are taken, or --data-root FOLDER
# with eight images of your own.
_base_ = ["./mask-rcnn_swin-demo_fpn.py"]
protocol = dict(
    id="small-coco-eight",
    dataset="COCO 2017, eight images of train",
    split="train",
    image_size=256,
    epochs=200,
)

resize = dict(type="Resize", scale=(256, 256), keep_ratio=True)
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        indices=8,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            resize,
            dict(type="PackDetInputs"),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file="annotations/instances_train2017.json",
        data_prefix=dict(img="train2017"),
        test_mode=False,  # which would keep images without objects: these are the trained ones
        filter_cfg=dict(filter_empty_gt=True),
        indices=8,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="PackDetInputs"),
        ],
    )
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=200,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=200, val_interval=50)
default_hooks = dict(checkpoint=dict(interval=50))
auto_scale_lr = dict(base_batch_size=2)
