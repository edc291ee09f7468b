# UperNet on the demo's Swin: CamVid in ADE20K's layout at 128 x 96 px, data/camvid.
# Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/tasks/demo_upernet.py",
    "../_base_/datasets/small_camvid.py",
    "../_base_/schedules/small_upernet.py",
]
backbone_name = "swin-demo"
protocol = dict(
    id="small-camvid-upernet", dataset="CamVid, 11 classes", image_size=[96, 128], epochs=12
)

model = dict(
    data_preprocessor=dict(size=(96, 128)),
    backbone=dict(_base_.swin_demo, out_indices=(0, 1, 2, 3)),
    # no class weights: no class dominates as the demo's background does
    decode_head=dict(in_channels=[32, 64, 128, 256], loss_decode=dict(class_weight=None)),
    auxiliary_head=dict(in_channels=128, loss_decode=dict(class_weight=None)),
)
