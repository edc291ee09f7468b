# Fine-tuning of Swin-B on 1 % of ImageNet's labels at 224 px, batch 2048.
# The same images for everyone. The recipe is that of all labels,
# imagenet/swin-b_8xb128_ft-100e.py, values from https://github.com/microsoft/SimMIM; it was not
# tuned for few labels.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/classifier.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/imagenet_ft-100e.py",
    "../_base_/protocols/imagenet-finetune-224-100e.py",
]
default_scope = "mmpretrain"
backbone_name = "swin-b"
protocol = dict(id="imagenet-1percent-finetune-224-100e", dataset="ImageNet-1k, 1 % of the labels")

model = dict(
    backbone=dict(
        _base_.swin_b,
        img_size=224,
        window_size=7,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
    ),
    head=dict(in_channels=1024),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices x 2 iterations = 2048
    dataset=dict(type="simmim_bench.FewShotDataset", share=0.01, list_number=0),
)

# LAYER_DECAY after 100 epochs of pretraining, for every method
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
