# ImageNet-R, art, cartoons, toys and other renditions of 200 classes.
# Logits are restricted to these classes: https://arxiv.org/abs/2006.16241,
# https://github.com/hendrycks/imagenet-r/blob/master/eval.py.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-r", version=1, dataset="ImageNet-R", split="test")
test_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet-r",
        subset="imagenet_r_synsets.txt",
    )
)
