# UperNet on ADE20K for 160 000 iterations at 512 px; mIoU on val, the whole image at once.
protocol = dict(
    id="ade20k-upernet-160k",
    version=2,
    task="segmentation",
    dataset="ADE20K",
    split="val",
    image_size=512,
    iterations=160000,
    metrics=dict(miou="mIoU", macc="mAcc", aacc="aAcc"),
    primary="miou",
)
