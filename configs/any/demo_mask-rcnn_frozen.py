# The backbone is not trained; all else as in demo_mask-rcnn.py.
# Mask R-CNN on any backbone: 500 of the demo's scenes, 96 px, 2 epochs, batch 8.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/datasets/demo_coco.py",
    "../_base_/schedules/any-2e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="demo-mask-rcnn-2e-frozen", epochs=2, dataset="simmim_bench demo, 500 scenes")

model = dict(
    type="simmim_bench.FrozenMaskRCNN",
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

train_dataloader = dict(dataset=dict(indices=500))
auto_scale_lr = dict(base_batch_size=8)
