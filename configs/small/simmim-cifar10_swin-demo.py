# SimMIM pretraining of the demo's Swin on CIFAR-10's training images, without their labels, with as
# many iterations as simmim_swin-demo.py: a backbone that has seen only the data of its task.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",
    "../_base_/models/simmim-demo.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/small_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-cifar10", backbone="swin-demo", dataset="CIFAR-10, own subset", epochs=16
)

model = dict(backbone=_base_.swin_demo)
train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10", data_prefix="train")
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=2, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=2,
        end=16,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=16)
