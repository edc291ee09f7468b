# Mask R-CNN with FPN on Swin-B, 36 epochs of large-scale jitter at 1024 px, batch 32, soft-NMS:
# the recipe of ConvNeXt V2, which compares itself with SimMIM's transfer.
# Values: https://arxiv.org/abs/2301.00808, section A.3, which searches layer decay and drop path;
# what it does not say (warm-up, milestones, test at 800 px) is of mmdetection 3.3,
# projects/ConvNeXt-V2/configs/mask-rcnn_convnext-v2-b_fpn_lsj-3x-fcmae_coco.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/mask-rcnn.py",
    "../_base_/datasets/coco.py",
    "../_base_/datasets/large_scale_jitter.py",
    "../_base_/schedules/coco_3x.py",
    "../_base_/protocols/coco-mask-rcnn-lsj-36e.py",
]
default_scope = "mmdet"
backbone_name = "swin-b"

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=224,  # for the size of windows only; any image size works
        window_size=7,
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,  # the middle of A.3's 0.2 to 0.5
    ),
    neck=dict(type="FPN", in_channels=[128, 256, 512, 1024], out_channels=256, num_outs=5),
    test_cfg=dict(rcnn=dict(nms=dict(type="soft_nms"))),
)

env_cfg = dict(cudnn_benchmark=False)  # images differ in size
train_dataloader = dict(
    batch_size=4,  # x 8 devices = 32
    dataset=dict(pipeline=_base_.jittered),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.95))  # or 0.9
auto_scale_lr = dict(base_batch_size=32)
