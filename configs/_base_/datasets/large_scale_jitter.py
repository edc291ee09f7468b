# Large-scale jittering at 1024 px, for the leaves' pipelines: https://arxiv.org/abs/2012.07177;
# mmdetection 3.3, projects/ViTDet/configs/lsj-100e_coco-instance.py.
jittered = [
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
whole = [
    dict(type="simmim_bench.LoadImage"),
    dict(type="Resize", scale=(1024, 1024), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),  # for the report by class
    dict(type="PackDetInputs"),
]
