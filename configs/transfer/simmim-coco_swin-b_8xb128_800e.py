# SimMIM, Swin-B, 800 epochs at 192 px on the 118 287 images of COCO train2017, batch 2048.
# The recipe is that of ImageNet, simmim/swin-b_8xb128_800e.py, with about a tenth of its
# iterations. No paper states it.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-coco", backbone="swin-b", dataset="COCO 2017", epochs=800, image_size=192
)

model = dict(
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/coco", data_prefix="train2017"),
)
