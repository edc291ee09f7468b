# Fine-tuning of ResNet-50 at 224 px, batch 2048. The original has no such model; the recipe
# is its Swin-B's: https://github.com/microsoft/SimMIM/blob/main/configs/swin_base__100ep/
# simmim_finetune__swin_base__img224_window7__100ep.yaml.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "resnet-50"

model = dict(
    backbone=dict(_base_.resnet_50),
    head=dict(in_channels=2048),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

# LAYER_DECAY after 100 epochs of pretraining; the original has 0.8 after 800.
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
