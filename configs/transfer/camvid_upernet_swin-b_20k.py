# UperNet on Swin-B on CamVid with 11 classes, 20 000 iterations at 360 x 480 px, batch 16.
# Length: mmsegmentation 1.2, configs/_base_/schedules/schedule_20k.py.
# All else is the recipe of ADE20K, ade20k/upernet_swin-b_160k.py; it was not tuned for these data.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/camvid.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "swin-b"
protocol = dict(
    id="camvid-upernet-20k", dataset="CamVid, 11 classes", image_size=[360, 480], iterations=20000
)

model = dict(
    data_preprocessor=dict(size=(360, 480)),
    backbone=dict(
        _base_.swin_b,
        img_size=512,
        window_size=7,
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
    ),
    decode_head=dict(in_channels=[128, 256, 512, 1024], channels=512, num_classes=11),
    auxiliary_head=dict(in_channels=512, num_classes=11),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type="PolyLR", eta_min=0.0, power=1.0, by_epoch=False, begin=1500, end=20000),
]
train_cfg = dict(max_iters=20000, val_interval=2000)
