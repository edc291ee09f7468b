# k-NN of plain ViT-B at 224 px on average-pooled features: nothing is learned.
# Values: https://github.com/facebookresearch/dino, eval_knn.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/plain-vit-b.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/models/knn.py",
    "../_base_/schedules/one_look.py",
]
default_scope = "mmpretrain"
backbone_name = "plain-vit-b"
protocol = dict(
    id="imagenet-knn-224",
    version=1,
    task="classification",
    dataset="ImageNet-1k",
    split="val",
    image_size=224,
    epochs=1,
    metrics=dict(
        top1_k10="knn/top1_k10",
        top1_k20="knn/top1_k20",
        top1_k100="knn/top1_k100",
        top1_k200="knn/top1_k200",
    ),
    primary="top1_k20",
)

model = dict(
    backbone=dict(
        _base_.plain_vit_b,
        img_size=224,
        drop_path_rate=0.0,
        final_norm=True,  # that of pretraining
        out_type="featmap",
    ),
    channels=768,
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ResizeEdge", scale=256, edge="short", **_base_.bicubic),
            dict(type="CenterCrop", crop_size=224),
            dict(type="PackInputs"),
        ]
    )
)
test_dataloader = val_dataloader
# the labelled images are seen as the others are
train_dataloader = dict(
    batch_size=128, drop_last=False, dataset=dict(pipeline=val_dataloader["dataset"]["pipeline"])
)
val_evaluator = dict(_delete_=True, **_base_.votes)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=1024)
