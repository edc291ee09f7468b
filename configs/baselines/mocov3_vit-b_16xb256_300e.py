# MoCo v3, plain ViT-B, 300 epochs at 224 px, batch 4096, by mmpretrain's algorithm.
# Values: https://arxiv.org/abs/2104.02057, section 4.4;
# https://github.com/facebookresearch/moco-v3, CONFIG.md; mmpretrain 1.2,
# configs/mocov3/mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/mocov3.py",
    "../_base_/datasets/imagenet_unlabelled.py",
    "../_base_/schedules/mocov3_300e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="mocov3", backbone="plain-vit-b", dataset="ImageNet-1k", epochs=300, image_size=224
)

model = dict(
    backbone=dict(
        type="MoCoV3ViT",
        arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
        img_size=224,
        patch_size=16,
        stop_grad_conv1=True,
    ),
    neck=dict(in_channels=768, hid_channels=4096, out_channels=256, with_avg_pool=False),
    head=dict(predictor=dict(in_channels=256, hid_channels=4096, out_channels=256)),
)

crop = dict(type="RandomResizedCrop", scale=224, crop_ratio_range=(0.08, 1.0), backend="pillow")
colours = [
    dict(
        type="RandomApply",
        transforms=[
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1)
        ],
        prob=0.8,
    ),
    dict(
        type="RandomGrayscale",
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989),
    ),
]
blur = dict(type="GaussianBlur", magnitude_range=(0.1, 2.0), magnitude_std="inf")
flip = dict(type="RandomFlip", prob=0.5)
views = [
    [crop, *colours, dict(blur, prob=1.0), flip],
    [crop, *colours, dict(blur, prob=0.1), dict(type="Solarize", thr=128, prob=0.2), flip],
]
train_dataloader = dict(
    batch_size=256,  # x 16 devices = 4096
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="MultiView", num_views=[1, 1], transforms=views),
            dict(type="PackInputs"),
        ]
    ),
)
