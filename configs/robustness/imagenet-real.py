# ReaL, the validation set of ImageNet-1k with new labels, several for some images.
# An answer counts if it is one of them, images without labels are left out:
# https://arxiv.org/abs/2006.07159, https://github.com/google-research/reassessed-imagenet.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-real", version=1, dataset="ImageNet-1k", split="val, ReaL labels")
test_dataloader = dict(
    dataset=dict(
        type="simmim_bench.RealLabels",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet",
        data_prefix="val",
    )
)
