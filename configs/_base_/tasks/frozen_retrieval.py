# Semantic segmentation by retrieval: the labels of the most similar patches of the training images.
# 30 neighbours and temperature 0.02: https://github.com/vpariza/open-hummingbird-eval; the method:
# https://arxiv.org/abs/2306.01667, section 3.1.
default_scope = "mmseg"
protocol = dict(
    task="segmentation",
    split="val",
    epochs=1,
    metrics=dict(miou="mIoU", aacc="aAcc"),
    primary="miou",
)
model = dict(
    type="simmim_bench.RetrievalSegmentor",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    precision="float32",
    channels=0,
    num_classes=0,
    patches=0,
    nearest=30,
    temperature=0.02,
)
