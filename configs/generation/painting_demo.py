# Inpainting and super-resolution of held-out images: the demo's scenes. Nothing is trained.
_base_ = ["../_base_/tasks/painting.py"]
protocol = dict(
    id="demo-painting",
    version=2,
    dataset="simmim_bench demo, scenes",
    split="val2017, the first 200 by name",
)
painting = dict(count=200)
test_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco", data_prefix="val2017")
)
