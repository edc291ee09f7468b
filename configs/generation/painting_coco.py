# Inpainting and super-resolution of held-out images: photographs of COCO. Nothing is trained.
_base_ = ["../_base_/tasks/painting.py"]
protocol = dict(
    id="coco-painting",
    version=2,
    dataset="COCO 2017, own subset",
    split="val2017, the first 100 by name",
)
painting = dict(count=100)
test_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/coco", data_prefix="val2017")
)
