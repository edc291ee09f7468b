# UperNet on any backbone: 500 of the demo's scenes, 96 px, 2 epochs, batch 8.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_upernet.py",
    "../_base_/datasets/demo_ade20k.py",
    "../_base_/schedules/any-2e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="demo-upernet-2e", epochs=2, dataset="simmim_bench demo, 500 scenes")

model = dict(
    backbone=dict(_base_.of_weights, img_size=96),
    decode_head=dict(in_channels=[]),
    auxiliary_head=dict(in_channels=0),
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

train_dataloader = dict(dataset=dict(indices=500))
auto_scale_lr = dict(base_batch_size=8)
