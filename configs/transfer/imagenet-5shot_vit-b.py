# Fine-tuning of ViT-B on five labelled images of each class of ImageNet at 224 px, batch 2048.
# The same images for everyone. The recipe is that of all labels,
# imagenet/vit-b_8xb128_ft-100e.py, values from https://github.com/microsoft/SimMIM; it was not
# tuned for few labels.
# Another number of images: --cfg-options train_dataloader.dataset.shots=10
# Other images: --cfg-options train_dataloader.dataset.list_number=1
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
protocol = dict(id="imagenet-5shot-finetune-224-100e", dataset="ImageNet-1k, 5 labels a class")

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
    head=dict(in_channels=768, init_cfg=dict(std=2e-5)),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(type="simmim_bench.FewShotDataset", shots=5, list_number=0),
)

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.65))  # LAYER_DECAY
