# SimMIM pretraining of the demo's Swin on about a thousand photographs of your own, in folders or
# not: data/imagenet/train, or --data-root FOLDER.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/small_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="swin-demo")

model = dict(backbone=_base_.swin_demo)
train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet", data_prefix="train")
)
