# UperNet on any backbone of several strides, 160 000 iterations at 512 px, batch 16. Values that
# differ between backbones: ade20k/upernet_{swin-b,swinv2-b,resnet-50,convnext-b}_160k.py.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/any.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "any"
backbone_init = "original"

model = dict(
    backbone=dict(_base_.of_weights, img_size=512, windows_at=224),
    decode_head=dict(in_channels=[], channels=512),
    auxiliary_head=dict(in_channels=0),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

by_backbone = dict(
    swin={"model.backbone.drop_path_rate": 0.3},
    swinv2={"model.backbone.drop_path_rate": 0.3},
    resnet={
        "model.backbone.norm_cfg": dict(type="SyncBN", requires_grad=True),
        "optim_wrapper": dict(
            _delete_=True,
            type="OptimWrapper",
            optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4),
        ),
        "param_scheduler": [
            dict(type="PolyLR", eta_min=1e-4, power=0.9, by_epoch=False, begin=0, end=160000),
        ],
    },
    convnext={
        "protocol.id": "ade20k-upernet-160k-slide",
        "model.data_preprocessor.test_cfg": dict(size=(512, 512)),  # pads smaller images
        "model.backbone.drop_path_rate": 0.4,
        "model.test_cfg": dict(mode="slide", crop_size=(512, 512), stride=(341, 341)),
        "optim_wrapper.type": "AmpOptimWrapper",  # float16: the same config: use_fp16
        "optim_wrapper.paramwise_cfg.layer_decay": 0.9,
        "optim_wrapper.optimizer": dict(lr=1e-4, weight_decay=0.05),
    },
)
