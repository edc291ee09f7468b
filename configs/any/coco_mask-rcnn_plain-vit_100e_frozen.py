# The backbone is not trained; all else as in coco_mask-rcnn_plain-vit_100e.py.
# Mask R-CNN on any backbone of one stride through a simple feature pyramid (ViTDet), 100 epochs,
# batch 64. Values: https://arxiv.org/abs/2203.16527, as in coco/mask-rcnn_{vit-b,plain-vit-b}_fpn_
# 100e.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/any.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/datasets/large_scale_jitter.py",
    "../_base_/schedules/coco_vitdet-100e.py",
]
default_scope = "mmdet"
backbone_name = "any"
backbone_init = "original"
protocol = dict(
    id="coco-mask-rcnn-vitdet-100e-frozen",
    version=1,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=1024,
    epochs=100,
    metrics=_base_.figures,
    primary="box_ap",
)

norm = dict(type="mmpretrain.LN2d")
model = dict(
    type="simmim_bench.FrozenMaskRCNN",
    data_preprocessor=dict(pad_size_divisor=1024),  # every image becomes 1024 x 1024
    backbone=dict(_base_.of_weights, img_size=1024),
    neck=dict(type="simmim_bench.SimpleFeaturePyramid", in_channels=0, out_channels=256),
    rpn_head=dict(num_convs=2),
    roi_head=dict(
        bbox_head=dict(type="Shared4Conv1FCBBoxHead", conv_out_channels=256, norm_cfg=norm),
        mask_head=dict(norm_cfg=norm),
    ),
)
by_backbone = dict(
    vit={"model.backbone.drop_path_rate": 0.1},
    plain_vit={"model.backbone.drop_path_rate": 0.1},
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    # x 8 devices x 4 accumulation steps = 64; the backbone needs 6 GiB an image in float32
    batch_size=2,
    dataset=dict(pipeline=_base_.jittered),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.whole))
test_dataloader = val_dataloader
