# k-NN of a plain ViT on CIFAR-10 as folders of images:
# data/cifar10/{train,val}/<class>/*. Other data in this layout: --data-root FOLDER --num-classes N.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-demo.py",  # backbone_init
    "../_base_/models/plain-vit-demo.py",
    "../_base_/tasks/small_cifar10-knn.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "plain-vit-demo"

model = dict(
    backbone=dict(
        _base_.plain_vit_demo,
        img_size=64,
        final_norm=True,  # the norm that was pretrained
        out_type="featmap",
    ),
    channels=128,
)
# training images are prepared as validation images are
train_dataloader = dict(dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline))
