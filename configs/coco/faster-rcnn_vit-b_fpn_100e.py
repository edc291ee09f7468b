# Faster R-CNN on ViT-B through a simple feature pyramid (ViTDet), 100 epochs, batch 64.
# Values and their sources: mask-rcnn_vit-b_fpn_100e.py; no masks: tasks/boxes.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/vit-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/tasks/boxes.py",
    "../_base_/datasets/coco.py",
    "../_base_/protocols/coco_boxes.py",
    "../_base_/datasets/large_scale_jitter.py",
    "../_base_/schedules/coco_vitdet-100e.py",
]
default_scope = "mmdet"
backbone_name = "vit-b"
protocol = dict(id="coco-faster-rcnn-vitdet-100e", image_size=1024, epochs=100)

norm = dict(type="mmpretrain.LN2d")
model = dict(
    _base_.faster_rcnn,
    # every image becomes 1024 x 1024
    data_preprocessor=dict(pad_mask=False, pad_size_divisor=1024),
    backbone=dict(
        _base_.vit_b,
        type="simmim_bench.WindowedBEiTViT",
        img_size=1024,
        window_size=14,  # the token grid of pretraining at 224 px
        global_blocks=(2, 5, 8, 11),
        drop_path_rate=0.1,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="featmap",
        out_indices=[11],
    ),
    neck=dict(type="simmim_bench.SimpleFeaturePyramid", in_channels=768, out_channels=256),
    rpn_head=dict(num_convs=2),
    roi_head=dict(
        _base_.faster_rcnn.roi_head,
        bbox_head=dict(type="Shared4Conv1FCBBoxHead", conv_out_channels=256, norm_cfg=norm),
    ),
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    # x 8 devices x 4 accumulation steps = 64; the backbone needs 6 GiB an image in float32
    batch_size=2,
    dataset=dict(pipeline=[_base_.jittered[0], _base_.load_boxes, *_base_.jittered[2:]]),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.whole))
test_dataloader = val_dataloader
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
