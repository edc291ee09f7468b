# Fine-tuning of a plain ViT on five labelled images of each class of CIFAR-10, 64 px, batch 25.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/plain-vit-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/small_cifar10-5shot.py",
]
backbone_name = "plain-vit-demo"
protocol = dict(id="small-cifar10-5shot", dataset="CIFAR-10, 5 labels a class", epochs=20)

model = dict(
    backbone=dict(
        _base_.plain_vit_demo,
        img_size=64,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,  # the backbone averages its tokens, and its own norm, ln2, follows
    head=dict(in_channels=128),
)
train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=5, list_number=0))
