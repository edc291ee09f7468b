# The small pretraining on CIFAR-10's training images, without their labels, with as many
# iterations: what a backbone is worth that has only seen the data of its task.
_base_ = ["./simmim_swin-demo.py"]
pretraining = dict(method="simmim-cifar10", dataset="CIFAR-10, own subset", epochs=16)

train_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10"))
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
