# MAE (https://arxiv.org/abs/2111.06377) by mmpretrain's algorithm on the demo images, with a plain
# ViT of the demo's size. Values: table 8; sizes, learning rate and epochs are the demo's.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/plain-vit-demo.py",
    "../_base_/models/mae.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/demo_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="mae", backbone="plain-vit-demo")

model = dict(
    backbone=dict(arch=_base_.plain_vit_demo.arch, img_size=64, patch_size=8),
    neck=dict(
        patch_size=8,
        num_patches=64,
        embed_dim=128,
        decoder_embed_dim=64,
        decoder_depth=2,
        decoder_num_heads=4,
    ),
    head=dict(patch_size=8),
)
# crops as in the demo: a smaller crop could lose the digit, and a flip would change it
train_dataloader = dict(
    dataset=dict(
        pipeline=[*_base_.train_dataloader.dataset.pipeline[:2], dict(type="PackInputs")],
    )
)
optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.95)))
