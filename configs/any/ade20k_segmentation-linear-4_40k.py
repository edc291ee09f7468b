# Linear segmentation on frozen features of any backbone, the last four layers, resized to the
# largest map: ADE20K,
# 40 000 iterations at 512 px, batch 16, sliding window. As DINOv3's, but for the augmentation: each
# image is seen in one random crop, the same in all epochs, so that its features are computed once.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_segmentation.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/frozen_segmentation.py",
    "../_base_/schedules/frozen_segmentation_40k.py",
]
backbone_name = "any"
backbone_init = "original"
protocol = dict(
    id="ade20k-segmentation-linear-4-40k",
    version=1,
    dataset="ADE20K",
    image_size=512,
    iterations=40000,
)

model = dict(
    data_preprocessor=dict(size=(512, 512), test_cfg=dict(size=(512, 512))),  # pads smaller images
    backbone=dict(_base_.of_weights, img_size=512, layers=4),
    windows=dict(size=512, stride=341),
    precision="bfloat16",
    decode_head=dict(num_classes=150),
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(
    batch_size=2,  # x 8 devices = 16
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.FixedView"),
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            dict(type="RandomResize", scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type="RandomCrop", crop_size=(512, 512), cat_max_ratio=0.75),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackSegInputs"),
        ],
    ),
)
