# ImageNet-Sketch, black and white sketches of the 1000 classes.
# https://arxiv.org/abs/1905.13549, https://github.com/HaohanWang/ImageNet-Sketch.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-sketch", version=1, dataset="ImageNet-Sketch", split="test")
test_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet-sketch"))
