# Linear segmentation on frozen features of any backbone, the last four layers, resized to the
# largest map: 500 of the demo's scenes, 96 px, 20 epochs, batch 16.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_segmentation.py",
    "../_base_/datasets/demo_ade20k.py",
    "../_base_/schedules/frozen_segmentation.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="demo-segmentation-linear-4",
    version=1,
    dataset="simmim_bench demo, 500 scenes",
    image_size=96,
    epochs=20,
)

model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(_base_.of_weights, img_size=96, layers=4),
    decode_head=dict(
        num_classes=11,
        # 89 % of the pixels are background, as in demo_upernet
        loss_decode=dict(class_weight=[0.1, *[1.0] * 10]),
    ),
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(batch_size=16, dataset=dict(indices=500))
val_dataloader = dict(batch_size=1)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=20,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=20, val_interval=20)
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
