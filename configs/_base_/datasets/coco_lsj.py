# Large-scale jittering at 1024 px, for leaves to put into their pipelines: ViTDet, section 4;
# mmdetection 3.3, projects/ViTDet/configs/lsj-100e_coco-instance.py.
jitter = [
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
]
fit_1024 = dict(type="Resize", scale=(1024, 1024), keep_ratio=True)
