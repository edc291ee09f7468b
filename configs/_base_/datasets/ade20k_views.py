# ADE20K in several views, for the leaves' pipelines: five scales of 512 x 2048
# (https://arxiv.org/abs/2301.00808, section A.4), each as it is and flipped, as mmsegmentation 1.2,
# configs/_base_/datasets/ade20k.py, tta_pipeline.
views = [
    dict(type="simmim_bench.LoadImage"),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="Resize", scale=(int(2048 * ratio), int(512 * ratio)), keep_ratio=True)
                for ratio in (0.75, 0.875, 1.0, 1.125, 1.25)
            ],
            [
                dict(type="RandomFlip", prob=0.0, direction="horizontal"),
                dict(type="RandomFlip", prob=1.0, direction="horizontal"),
            ],
            [dict(type="LoadAnnotations")],
            [dict(type="PackSegInputs")],
        ],
    ),
]
