# ImageNet-V2, new photographs that were chosen as the validation set was (matched frequency).
# https://arxiv.org/abs/1902.10811, https://github.com/modestyachts/ImageNetV2. Folders are named by
# the number of the class.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-v2", version=1, dataset="ImageNet-V2", split="matched frequency")
test_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet-v2", numbered=True)
)
