# UperNet on Swin-B on Cityscapes, 80 000 iterations at 512 x 1024 px, batch 16.
# Length: mmsegmentation 1.2, configs/_base_/schedules/schedule_80k.py.
# All else is the recipe of ADE20K, ade20k/upernet_swin-b_160k.py; it was not tuned for these data.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/cityscapes.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "swin-b"
protocol = dict(
    id="cityscapes-upernet-80k", dataset="Cityscapes", image_size=[512, 1024], iterations=80000
)

model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    backbone=dict(
        _base_.swin_b,
        img_size=512,
        window_size=7,
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=512, num_classes=19),
    auxiliary_head=dict(in_channels=512, num_classes=19),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, by_epoch=False, begin=1500, end=80000),
]
train_cfg = dict(max_iters=80000, val_interval=8000)
