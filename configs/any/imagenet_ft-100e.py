# SimMIM's fine-tuning of any backbone at 224 px, batch 2048. Values that differ between backbones
# are those of imagenet/{swin-b,swinv2-b-w14-224,vit-b,plain-vit-b,resnet-50,convnext-b}_8xb128_ft-
# 100e.py: https://github.com/microsoft/SimMIM/tree/main/configs. Others get those of Swin-B
# or, with one stride, ViT-B.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/any.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "any"
backbone_init = "original"

model = dict(backbone=dict(_base_.of_weights, img_size=224), head=dict(in_channels=0))
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048

drop_path, decay = "model.backbone.drop_path_rate", "optim_wrapper.paramwise_cfg.layer_decay"
by_backbone = dict(
    several_strides={decay: 0.9},
    one_stride={decay: 0.65},
    swin={drop_path: 0.1},
    swinv2={
        drop_path: 0.1,
        decay: 0.75,
        "optim_wrapper.type": "OptimWrapper",  # float32: main_simmim_ft.py casts nothing
        "param_scheduler.warmup_prefix": True,
    },
    # the backbone averages its tokens, and its own norm, ln2, follows
    vit={drop_path: 0.1, "model.neck": None, "model.head.init_cfg": dict(std=2e-5)},
    plain_vit={drop_path: 0.1, "model.neck": None, "model.head.init_cfg": dict(std=2e-5)},
    resnet={"model.backbone.norm_cfg": dict(type="SyncBN", requires_grad=True)},
    convnext={drop_path: 0.1, "model.neck": None},  # the mean is normalised
)
