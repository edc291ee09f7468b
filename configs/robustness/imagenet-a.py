# ImageNet-A, photographs that a ResNet-50 takes for something else; 200 classes.
# Logits are restricted to these classes: https://arxiv.org/abs/1907.07174,
# https://github.com/hendrycks/natural-adv-examples/blob/master/eval.py.
_base_ = ["../_base_/runtime/full_size.py", "../_base_/tasks/robustness.py"]
protocol = dict(id="imagenet-a", version=1, dataset="ImageNet-A", split="test")
test_dataloader = dict(
    dataset=dict(
        data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet-a",
        subset="imagenet_a_synsets.txt",
    )
)
