# k-NN of ViT-B at 224 px on average-pooled features: nothing is learned.
# Values: https://github.com/facebookresearch/dino, eval_knn.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/vit-b.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/models/knn.py",
    "../_base_/schedules/one_look.py",
    "../_base_/protocols/imagenet-knn-224.py",
]
default_scope = "mmpretrain"
backbone_name = "vit-b"

model = dict(
    backbone=dict(
        _base_.vit_b,
        img_size=224,
        drop_path_rate=0.0,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=True,  # the norm that was pretrained
        out_type="featmap",
    ),
    channels=768,
)
# training images are prepared as validation images are
train_dataloader = dict(
    batch_size=128,
    drop_last=False,
    dataset=dict(pipeline=_base_.val_dataloader.dataset.pipeline),
)
val_evaluator = dict(_delete_=True, **_base_.votes)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=1024)
