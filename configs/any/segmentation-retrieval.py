# Retrieval segmentation on frozen features of any backbone: data in ADE20K's layout, data/camvid,
# 128 x 96 px; the last four layers, resized to the largest map; nothing is learned.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_retrieval.py",
    "../_base_/datasets/small_camvid.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="own-segmentation-retrieval",
    version=1,
    dataset="CamVid, 11 classes",
    image_size=[96, 128],
)

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(_base_.of_weights, img_size=(96, 128), layers=4),
    num_classes=11,
    patches=64,
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", reduce_zero_label=True),
            _base_.resize,
            dict(type="PackSegInputs"),
        ],
    ),
)
auto_scale_lr = dict(base_batch_size=16)
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
