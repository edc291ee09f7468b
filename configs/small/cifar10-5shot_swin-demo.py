# The demo's classification with five labelled images of each class of CIFAR-10.
_base_ = ["./cifar10_swin-demo.py"]
protocol = dict(id="small-cifar10-5shot", dataset="CIFAR-10, 5 labels a class", epochs=20)

train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=5, list_number=0))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=2, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1.5e-5,
        by_epoch=True,
        begin=2,
        end=20,
        convert_to_iter_based=True,
    ),
]
# one validation: it takes as long as the training, two steps an epoch
train_cfg = dict(max_epochs=20, val_interval=20)
