# Retrieval segmentation on frozen features of any backbone: 500 of the demo's scenes, 96 px; the
# last four layers, resized to the largest map; nothing is learned.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_retrieval.py",
    "../_base_/datasets/demo_ade20k.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="demo-segmentation-retrieval",
    version=1,
    dataset="simmim_bench demo, 500 scenes",
    image_size=96,
)

model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(_base_.of_weights, img_size=96, layers=4),
    num_classes=11,
    patches=64,
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(batch_size=16, dataset=dict(indices=500))
auto_scale_lr = dict(base_batch_size=16)
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
