# k-NN of any backbone on folders of images, data/cifar10/{train,val}/<class>/*, 64 px:
# nothing is learned.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/small_cifar10-knn.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/one_look.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="own-knn", dataset="CIFAR-10, own subset")

model = dict(backbone=dict(_base_.of_weights, img_size=64), channels=0)
by_backbone = _base_.no_drop_path
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=100, dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline)
)
