# The backbone is not trained; all else as in coco_mask-rcnn_fpn_1x.py.
# Mask R-CNN with FPN on any backbone of several strides, 12 epochs at one scale, batch 16. Values
# that differ between backbones: coco/mask-rcnn_{swin-b,swinv2-b,resnet-50,convnext-b}_fpn_*.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/any.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/schedules/coco_1x.py",
]
default_scope = "mmdet"
backbone_name = "any"
backbone_init = "original"
protocol = dict(
    id="coco-mask-rcnn-1x-frozen",
    version=1,
    task="detection",
    dataset="COCO 2017",
    split="val",
    image_size=[800, 1333],
    epochs=12,
    metrics=_base_.figures,
    primary="box_ap",
)

model = dict(
    type="simmim_bench.FrozenMaskRCNN",
    backbone=dict(_base_.of_weights, img_size=224),  # for the size of windows only
    neck=dict(type="FPN", in_channels=[], out_channels=256, num_outs=5),
)
env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

by_backbone = dict(
    swin={"model.backbone.drop_path_rate": 0.3},  # Cascade Mask R-CNN with Swin-B
    swinv2={"model.backbone.drop_path_rate": 0.3},
    resnet={
        "model.backbone.norm_cfg": dict(type="SyncBN", requires_grad=True),
        "model.neck.norm_cfg": dict(type="SyncBN"),
        "optim_wrapper": dict(  # mmdetection 3.3, configs/_base_/schedules/schedule_1x.py
            _delete_=True,
            type="OptimWrapper",
            optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
        ),
        "param_scheduler.0.end": 500,
    },
    convnext={
        "model.backbone.drop_path_rate": 0.7,
        "optim_wrapper.paramwise_cfg.layer_decay": 0.8,
        "optim_wrapper.optimizer.lr": 2e-4,
    },
)
