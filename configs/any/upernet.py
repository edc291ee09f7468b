# UperNet on any backbone: data in ADE20K's layout, data/camvid, 128 x 96 px, 24 epochs, batch 8.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_upernet.py",
    "../_base_/datasets/small_camvid.py",
    "../_base_/schedules/any-24e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="own-upernet-24e", epochs=24, dataset="CamVid, 11 classes", image_size=[96, 128])

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(_base_.of_weights, img_size=(96, 128)),
    # no class weights: no class dominates as the demo's background does
    decode_head=dict(in_channels=[], loss_decode=dict(class_weight=None)),
    auxiliary_head=dict(in_channels=0, loss_decode=dict(class_weight=None)),
)
by_backbone = dict(
    one_stride={  # the pyramid of BEiT and MAE
        "model.neck": dict(
            type="Feature2Pyramid",
            embed_dim=0,
            rescales=[4, 2, 1, 0.5],
            norm_cfg=dict(type="SyncBN", requires_grad=True),
        ),
    },
    **_base_.no_drop_path,
)

auto_scale_lr = dict(base_batch_size=8)
