# Retrieval segmentation on frozen features of any backbone: ADE20K at 512 px, the last layer; 64
# patches of each image are the memory, 1.3 million; nothing is learned. Whole images are resized,
# since windows would see the same patches twice.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_retrieval.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "original"
protocol = dict(id="ade20k-segmentation-retrieval", version=1, dataset="ADE20K", image_size=512)

model = dict(
    data_preprocessor=dict(size=(512, 512), test_cfg=dict(size=(512, 512))),  # pads smaller images
    backbone=dict(_base_.of_weights, img_size=512),
    precision="bfloat16",
    num_classes=150,
    patches=64,
)
by_backbone = _base_.no_drop_path

resize = dict(type="Resize", scale=(512, 512), keep_ratio=False)
train_dataloader = dict(
    batch_size=16,
    sampler=dict(_delete_=True, type="DefaultSampler", shuffle=True),
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            resize,
            dict(type="PackSegInputs"),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            resize,
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=16)
