# Fine-tuning of plain ViT-B at 224 px, batch 2048, for MAE, MoCo v3 and others that pretrain it.
# The recipe is that of SimMIM's ViT-B, so that methods differ only in pretraining.
# Values: https://github.com/microsoft/SimMIM/blob/main/configs/vit_base__800ep/
# simmim_finetune__vit_base__img224__800ep.yaml; config.py, data/data_finetune.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/plain-vit-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "plain-vit-b"

model = dict(
    backbone=dict(
        _base_.plain_vit_b,
        img_size=224,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
        final_norm=False,
        out_type="avg_featmap",  # MODEL.VIT.USE_MEAN_POOLING
    ),
    neck=None,
    head=dict(
        in_channels=768,
        # models/vision_transformer.py: 0.02, times init_scale 0.001
        init_cfg=dict(std=2e-5),
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.65))  # LAYER_DECAY
