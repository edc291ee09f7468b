# Boxes without masks of small_coco.py at 128 px, for the leaves' pipelines.
shrink = dict(type="Resize", scale=(128, 128), keep_ratio=True)
train_boxes = [
    dict(type="simmim_bench.LoadImage"),
    dict(type="LoadAnnotations", with_bbox=True),
    shrink,
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_boxes = [
    dict(type="simmim_bench.LoadImage"),
    shrink,
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="PackDetInputs"),
]
