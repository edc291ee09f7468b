# Boxes on COCO 2017; the leaves add id, image size and length. Metrics are those of boxes in
# datasets/coco.py.
protocol = dict(
    version=1,
    task="detection",
    dataset="COCO 2017",
    split="val",
    metrics=dict(
        box_ap="coco/bbox_mAP",
        box_ap50="coco/bbox_mAP_50",
        box_ap75="coco/bbox_mAP_75",
        box_aps="coco/bbox_mAP_s",
        box_apm="coco/bbox_mAP_m",
        box_apl="coco/bbox_mAP_l",
    ),
    primary="box_ap",
)
