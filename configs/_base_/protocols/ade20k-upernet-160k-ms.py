# UperNet on ADE20K for 160 000 iterations at 512 px; mIoU on val, averaged over several scales and
# flips of the whole image.
protocol = dict(
    id="ade20k-upernet-160k-ms",
    version=1,
    task="segmentation",
    dataset="ADE20K",
    split="val",
    image_size=512,
    iterations=160000,
    metrics=dict(miou="mIoU", macc="mAcc", aacc="aAcc"),
    primary="miou",
)
