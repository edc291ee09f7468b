# Linear probe of the demo's backbone on CIFAR-10 as folders of images,
# data/cifar10/{train,val}/<class>/*.
# Any other such data: --data-root FOLDER --num-classes N.
_base_ = ["./cifar10_swin-demo.py"]
protocol = dict(id="small-cifar10-linear", version=2)
model = dict(
    type="simmim_bench.LinearProbe",
    head=dict(
        _delete_=True,
        type="simmim_bench.LinearProbeHead",
        num_classes=10,
        in_channels=256,
        loss=dict(type="CrossEntropyLoss"),
    ),
)
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9),  # MAE, main_linprobe.py: 0.1 x 25 / 256
)
