# Fine-tuning of ViT-B on CIFAR-10, enlarged to 224 px, batch 2048.
# The recipe is that of imagenet/vit-b_8xb128_ft-100e.py, values
# from https://github.com/microsoft/SimMIM; it was not tuned for this dataset.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/vit-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "vit-b"
protocol = dict(id="cifar10-finetune-224-100e", dataset="CIFAR-10")

model = dict(
    backbone=dict(
        _base_.vit_b,
        img_size=224,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
        use_rel_pos_bias=True,  # MODEL.VIT.USE_RPB
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="avg_featmap",  # MODEL.VIT.USE_MEAN_POOLING
    ),
    neck=None,
    # models/vision_transformer.py: 0.02, times init_scale 0.001
    head=dict(num_classes=10, in_channels=768, init_cfg=dict(std=2e-5)),
    data_preprocessor=dict(num_classes=10),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10/"),
)
val_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10/"))
test_dataloader = val_dataloader

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.65))  # LAYER_DECAY
