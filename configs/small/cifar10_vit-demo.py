# Fine-tuning of a ViT on CIFAR-10 as folders of images:
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
protocol = dict(id="small-cifar10", dataset="CIFAR-10, own subset")

model = dict(
    backbone=dict(
        _base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,  # the backbone averages its tokens, and its own norm, ln2, follows
    head=dict(in_channels=128),
)
