# Fine-tuning of a plain CNN on five labelled images of each class of CIFAR-10, 64 px, batch 25.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # unused; part of the config's hash
    "../_base_/models/cnn-demo.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/small_cifar10-5shot.py",
]
backbone_name = "cnn-demo"
backbone_init = "original"  # initial weights of He et al., fan out
protocol = dict(id="small-cifar10-5shot", dataset="CIFAR-10, 5 labels a class", epochs=20)

model = dict(
    backbone=_base_.cnn_demo,
    head=dict(in_channels=256),
)
train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=5, list_number=0))
