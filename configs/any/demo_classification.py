# Fine-tuning of any backbone on 100 of the demo's digits a class, 64 px, 2 epochs, batch 25.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/any.py",
    "../_base_/tasks/demo_classification.py",
    "../_base_/datasets/demo_digits.py",
    "../_base_/schedules/any-2e.py",
]
backbone_name = "any"
backbone_init = "library"  # as configs/demo: a baseline from scratch learns faster so
protocol = dict(id="demo-finetune-2e", epochs=2, dataset="simmim_bench demo, 100 digits a class")

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

train_dataloader = dict(dataset=dict(type="simmim_bench.FewShotDataset", shots=100, list_number=0))
auto_scale_lr = dict(base_batch_size=25)
