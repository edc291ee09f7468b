# Mask R-CNN on COCO for 36 epochs of large-scale jitter at 1024 px; AP on val with soft-NMS.
protocol = dict(
    id="coco-mask-rcnn-lsj-36e",
    version=1,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=1024,  # of the training; tested at 800 x 1333
    epochs=36,
    metrics=dict(
        box_ap="coco/bbox_mAP",
        box_ap50="coco/bbox_mAP_50",
        box_ap75="coco/bbox_mAP_75",
        box_aps="coco/bbox_mAP_s",
        box_apm="coco/bbox_mAP_m",
        box_apl="coco/bbox_mAP_l",
        mask_ap="coco/segm_mAP",
        mask_ap50="coco/segm_mAP_50",
        mask_ap75="coco/segm_mAP_75",
        mask_aps="coco/segm_mAP_s",
        mask_apm="coco/segm_mAP_m",
        mask_apl="coco/segm_mAP_l",
    ),
    primary="box_ap",
)
