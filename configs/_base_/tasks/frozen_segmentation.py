# Semantic segmentation by a linear layer on frozen features: batch norm and a 1 x 1 convolution, as
# DINOv2's BNHead (https://github.com/facebookresearch/dinov2, eval/segmentation); dropout as
# DINOv3's linear head (https://github.com/facebookresearch/dinov3, eval/segmentation/config.py).
default_scope = "mmseg"
protocol = dict(
    task="segmentation",
    split="val",
    metrics=dict(miou="mIoU", aacc="aAcc"),
    primary="miou",
)
model = dict(
    type="simmim_bench.FrozenSegmentor",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    precision="float32",
    decode_head=dict(
        type="simmim_bench.LinearSegmentationHead",
        in_channels=0,
        num_classes=0,
        dropout_ratio=0.1,
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(
            type="CrossEntropyLoss", use_sigmoid=False, avg_non_ignore=False, loss_weight=1.0
        ),
    ),
)
