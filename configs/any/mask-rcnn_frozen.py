# The backbone is not trained; all else as in mask-rcnn.py.
# Mask R-CNN on any backbone: data in COCO's layout, data/coco, 128 px, 24 epochs, batch 8.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_mask-rcnn.py",
    "../_base_/datasets/small_coco.py",
    "../_base_/schedules/any-24e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="own-mask-rcnn-24e-frozen", epochs=24, dataset="COCO 2017, own subset", image_size=128
)

model = dict(
    type="simmim_bench.FrozenMaskRCNN",
    backbone=dict(_base_.of_weights, img_size=128),
    neck=dict(type="FPN", in_channels=[], out_channels=64, num_outs=5),
    roi_head=dict(bbox_head=dict(num_classes=80), mask_head=dict(num_classes=80)),
)
by_backbone = dict(
    one_stride={  # ViTDet: a pyramid of the last map; every image becomes 128 x 128
        "model.neck": dict(
            _delete_=True, type="simmim_bench.SimpleFeaturePyramid", in_channels=0, out_channels=64
        ),
        "model.data_preprocessor.pad_size_divisor": 128,
    },
    **_base_.no_drop_path,
)

auto_scale_lr = dict(base_batch_size=8)
