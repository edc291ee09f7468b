# UperNet on any backbone of one stride through BEiT's and MAE's feature pyramid, 160 000 iterations
# at 512 px, batch 16. Values: mmsegmentation 1.2,
# configs/mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512.py, as in
# ade20k/upernet_{vit-b,plain-vit-b}_160k.py.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/any.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k-slide.py",
]
default_scope = "mmseg"
backbone_name = "any"
backbone_init = "original"

model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(512, 512))),  # pads smaller images
    backbone=dict(_base_.of_weights, img_size=512),
    neck=dict(
        type="Feature2Pyramid",
        embed_dim=0,
        rescales=[4, 2, 1, 0.5],
        norm_cfg=dict(type="SyncBN", requires_grad=True),
    ),
    decode_head=dict(in_channels=[], channels=768),
    auxiliary_head=dict(in_channels=0),
    test_cfg=dict(mode="slide", crop_size=(512, 512), stride=(341, 341)),
)
by_backbone = dict(
    vit={"model.backbone.drop_path_rate": 0.1},
    plain_vit={"model.backbone.drop_path_rate": 0.1},
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16

optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: "amp" in the name of its config
    paramwise_cfg=dict(layer_decay=0.65),
    optimizer=dict(lr=1e-4, weight_decay=0.05),
)
