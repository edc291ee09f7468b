# SimMIM, plain ViT-B, 800 epochs at 224 px, batch 2048. The recipe is that of SimMIM's own ViT-B, a
# ViT in BEiT's style, so that methods are compared on one backbone.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/vit_base__800ep/
# simmim_pretrain__vit_base__img224__800ep.yaml; config.py, data/data_simmim.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/plain-vit-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-224.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="plain-vit-b", dataset="ImageNet-1k", epochs=800, image_size=224
)

model = dict(
    backbone=dict(
        _base_.plain_vit_b,
        img_size=224,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
        final_norm=True,
        out_type="featmap",
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
