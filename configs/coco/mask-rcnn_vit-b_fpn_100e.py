# Mask R-CNN on ViT-B through a simple feature pyramid (ViTDet), 100 epochs, batch 64.
# Values: https://arxiv.org/abs/2203.16527; detectron2, projects/ViTDet/configs/COCO/
# mask_rcnn_vitdet_b_100ep.py; mmdetection 3.3, projects/ViTDet/configs/lsj-100e_coco-instance.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/vit-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
]
default_scope = "mmdet"
backbone_name = "vit-b"
protocol = dict(
    id="coco-mask-rcnn-vitdet-100e",
    version=1,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=1024,
    epochs=100,
    metrics=dict(box_ap="coco/bbox_mAP", mask_ap="coco/segm_mAP"),
    primary="box_ap",
)

norm = dict(type="mmpretrain.LN2d")
model = dict(
    data_preprocessor=dict(pad_size_divisor=1024),  # every image becomes 1024 x 1024
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
        bbox_head=dict(type="Shared4Conv1FCBBoxHead", conv_out_channels=256, norm_cfg=norm),
        mask_head=dict(norm_cfg=norm),
    ),
)

# Large-scale jittering.
train_dataloader = dict(
    # x 8 devices x 4 accumulated = 64; the backbone keeps 6 GiB an image in float32
    batch_size=2,
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
            dict(type="RandomFlip", prob=0.5),
            dict(type="RandomResize", scale=(1024, 1024), ratio_range=(0.1, 2.0), keep_ratio=True),
            dict(
                type="RandomCrop",
                crop_type="absolute_range",
                crop_size=(1024, 1024),
                recompute_bbox=True,
                allow_negative_crop=True,
            ),
            dict(type="FilterAnnotations", min_gt_bbox_wh=(1e-2, 1e-2)),
            dict(type="PackDetInputs"),
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(1024, 1024), keep_ratio=True),
            dict(type="LoadAnnotations", with_bbox=True),  # for the report by class
            dict(type="PackDetInputs"),
        ]
    )
)
test_dataloader = val_dataloader

optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=0.7),
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.1, betas=(0.9, 0.999), eps=1e-8),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=250),
    # 163889 and 177546 of 184375 iterations
    dict(type="MultiStepLR", milestones=[89, 96], gamma=0.1, by_epoch=True, begin=0, end=100),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
