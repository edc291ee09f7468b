# Linear segmentation on frozen features of any backbone, the last layer: data in
# ADE20K's layout, data/camvid, 128 x 96 px, 48 epochs, batch 16.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_segmentation.py",
    "../_base_/datasets/small_camvid.py",
    "../_base_/schedules/frozen_segmentation.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="own-segmentation-linear",
    version=1,
    dataset="CamVid, 11 classes",
    image_size=[96, 128],
    epochs=48,
)

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(_base_.of_weights, img_size=(96, 128), layers=1),
    decode_head=dict(
        num_classes=11,
    ),
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        # no flip: features are computed once
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", reduce_zero_label=True),
            _base_.resize,
            dict(type="PackSegInputs"),
        ],
    ),
)
val_dataloader = dict(batch_size=1)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=48,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=48, val_interval=48)
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
