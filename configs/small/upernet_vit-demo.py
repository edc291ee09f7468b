# UperNet on a ViT through the feature pyramid of BEiT and MAE: CamVid in ADE20K's layout at
# 128 x 96 px, data/camvid.
# Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/vit-demo.py",
    "../_base_/tasks/demo_upernet.py",
    "../_base_/datasets/small_camvid.py",
    "../_base_/schedules/small_upernet.py",
]
backbone_name = "vit-demo"
protocol = dict(
    id="small-camvid-upernet", dataset="CamVid, 11 classes", image_size=[96, 128], epochs=12
)

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(
        _base_.vit_demo,
        img_size=(96, 128),
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="featmap",
        out_indices=[1, 2, 3, 5],
    ),
    neck=dict(
        type="Feature2Pyramid",
        embed_dim=128,
        rescales=[2, 1, 0.5, 0.25],  # strides 4, 8, 16, 32 of a patch of 8
        norm_cfg=dict(type="SyncBN", requires_grad=True),
    ),
    # no class weights: no class dominates as the demo's background does
    decode_head=dict(in_channels=[128, 128, 128, 128], loss_decode=dict(class_weight=None)),
    auxiliary_head=dict(in_channels=128, loss_decode=dict(class_weight=None)),
)
