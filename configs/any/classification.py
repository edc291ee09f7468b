# Fine-tuning of any backbone on folders of images, data/cifar10/{train,val}/<class>/*, 64 px,
# 24 epochs, batch 25.
# Other data: --data NAME, or --data-root FOLDER --num-classes N in this layout.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/small_cifar10.py",
    "../_base_/schedules/any-24e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="own-finetune-24e", epochs=24, dataset="CIFAR-10, own subset")

model = dict(backbone=dict(_base_.of_weights, img_size=64), head=dict(in_channels=0))
by_backbone = dict(
    several_strides={"optim_wrapper.paramwise_cfg": dict(layer_decay=0.9)},  # imagenet_ft-100e.py
    one_stride={"optim_wrapper.paramwise_cfg": dict(layer_decay=0.65)},
    swin={"model.backbone.drop_path_rate": 0.0},
    swinv2={"model.backbone.drop_path_rate": 0.0},
    # the backbone averages its tokens, and its own norm, ln2, follows
    vit={"model.backbone.drop_path_rate": 0.0, "model.neck": None},
    plain_vit={"model.backbone.drop_path_rate": 0.0, "model.neck": None},
    convnext={"model.backbone.drop_path_rate": 0.0, "model.neck": None},
)

auto_scale_lr = dict(base_batch_size=25)
