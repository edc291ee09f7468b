# UperNet on Swin-L, 160 000 iterations at 640 px, batch 16.
# Values: https://arxiv.org/abs/2103.14030, appendix A2.3 (640 px, there after ImageNet-22K), and
# Swin-Transformer-Semantic-Segmentation,
# configs/swin/upernet_swin_base_patch4_window7_512x512_160k_ade20k.py; the window is that of the
# ImageNet fine-tuning.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swin-l.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
]
default_scope = "mmseg"
backbone_name = "swin-l"
protocol = dict(
    id="ade20k-upernet-160k-640",
    version=1,
    task="segmentation",
    dataset="ADE20K",
    split="val",
    image_size=640,
    iterations=160000,
    metrics=dict(miou="mIoU", macc="mAcc", aacc="aAcc"),
    primary="miou",
)

model = dict(
    data_preprocessor=dict(size=(640, 640)),
    backbone=dict(
        _base_.swin_l,
        img_size=640,
        window_size=14,
        # the last window is that of the ImageNet fine-tuning, too
        stage_cfgs=[dict(window_size=14)] * 3 + [dict(window_size=7)],
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
    ),
    decode_head=dict(in_channels=[192, 384, 768, 1536], channels=512),
    auxiliary_head=dict(in_channels=768),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(
    batch_size=2,  # x 8 devices = 16
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="LoadAnnotations"),
            dict(type="RandomResize", scale=(2560, 640), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type="RandomCrop", crop_size=(640, 640), cat_max_ratio=0.75),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PhotoMetricDistortion"),
            dict(type="PackSegInputs"),
        ]
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(2560, 640), keep_ratio=True),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ]
    )
)
test_dataloader = val_dataloader
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type="Resize", scale=(int(2560 * ratio), int(640 * ratio)), keep_ratio=True)
    for ratio in _base_.ratios
]

# Biases and norms do not decay, as in SimMIM's code; mmsegmentation lets biases decay.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(type="AdamW", lr=6e-5, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8),
)
