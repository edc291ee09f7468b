# Linear probe of a ViT on CIFAR-10 as folders of images:
# data/cifar10/{train,val}/<class>/*. Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/vit-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/demo_classification.py",
]
backbone_name = "vit-demo"
protocol = dict(id="small-cifar10-linear", version=2, dataset="CIFAR-10, own subset")

model = dict(
    type="simmim_bench.LinearProbe",
    backbone=dict(
        _base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=True,  # the norm that was pretrained
        out_type="featmap",
    ),
    head=dict(
        _delete_=True,
        type="simmim_bench.LinearProbeHead",
        num_classes=10,
        in_channels=128,
        loss=dict(type="CrossEntropyLoss"),
    ),
)
optim_wrapper = dict(
    _delete_=True,
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9),  # MAE, main_linprobe.py: 0.1 x 25 / 256
)
