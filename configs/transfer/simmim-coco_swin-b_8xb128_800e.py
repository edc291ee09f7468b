# SimMIM, Swin-B, on the 118 287 images of COCO train2017: the recipe of 800 epochs of ImageNet,
# simmim/swin-b_8xb128_800e.py, which is about a tenth of its iterations. No paper states it.
_base_ = ["../simmim/swin-b_8xb128_800e.py"]
pretraining = dict(method="simmim-coco", dataset="COCO 2017")

train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/coco", data_prefix="train2017")
)
