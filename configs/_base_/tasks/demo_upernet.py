# UperNet of the demo: the segmentor of mmseg with narrow heads.
# Values without a source were chosen on training data for two CPU cores.
default_scope = "mmseg"
protocol = dict(
    id="demo-upernet",
    version=1,
    task="segmentation",
    dataset="simmim_bench demo, scenes",
    split="val",
    image_size=96,
    epochs=4,
    metrics=dict(miou="mIoU"),
    primary="miou",
)

# 89 % of the pixels are background; unweighted, the short schedule ends at predicting it alone.
weights = [0.1, *[1.0] * 10]
model = dict(
    type="EncoderDecoder",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(96, 96),
        test_cfg=dict(size_divisor=32),
    ),
    decode_head=dict(
        type="UPerHead",
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=64,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(
            type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0, class_weight=weights
        ),
    ),
    auxiliary_head=dict(
        type="FCNHead",
        in_index=2,
        channels=64,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        align_corners=False,
        loss_decode=dict(
            type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4, class_weight=weights
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
val_evaluator = dict(type="simmim_bench.IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
