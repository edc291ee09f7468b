# Depth by a linear layer on frozen features of any backbone, the last four layers, resized to the
# largest map: 500 of the demo's scenes, 96 px, whose depth is the order in which digits cover each
# other, 20 epochs, batch 16.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/frozen_depth.py",
    "../_base_/datasets/demo_depth.py",
    "../_base_/schedules/frozen_segmentation.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(
    id="demo-depth-linear",
    version=1,
    dataset="simmim_bench demo, 500 scenes",
    split="val",
    image_size=96,
    epochs=20,
)

model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(_base_.of_weights, img_size=96, layers=4),
    decode_head=dict(upsample=1),
)
by_backbone = _base_.no_drop_path

train_dataloader = dict(dataset=dict(indices=500))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=20,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=20, val_interval=20)
