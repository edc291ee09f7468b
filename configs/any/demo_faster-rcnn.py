# Faster R-CNN on any backbone, boxes without masks: 500 of the demo's scenes, 96 px, 2 epochs,
# batch 8.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/demo_coco.py",
    "../_base_/schedules/any-2e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="demo-faster-rcnn-2e",
    epochs=2,
    dataset="simmim_bench demo, 500 scenes",
    metrics=dict(_delete_=True, box_ap="coco/bbox_mAP"),
)

model = dict(
    _base_.faster_rcnn,
    backbone=dict(_base_.of_weights, img_size=96),
    neck=dict(type="FPN", in_channels=[], out_channels=64, num_outs=5),
)
by_backbone = dict(
    one_stride={  # ViTDet: a pyramid of the last map; every image becomes 96 x 96
        "model.neck": dict(
            _delete_=True, type="simmim_bench.SimpleFeaturePyramid", in_channels=0, out_channels=64
        ),
        "model.data_preprocessor.pad_size_divisor": 96,
    },
    **_base_.no_drop_path,
)

auto_scale_lr = dict(base_batch_size=8)
train_dataloader = dict(
    dataset=dict(
        indices=500,
        pipeline=[
            _base_.train_dataloader.dataset.pipeline[0],
            _base_.load_boxes,
            *_base_.train_dataloader.dataset.pipeline[2:],
        ],
    )
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.val_dataloader.dataset.pipeline[:2],
            _base_.load_boxes,
            _base_.val_dataloader.dataset.pipeline[3],
        ]
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
