# End-to-end fine-tuning on the labelled demo images: ten digits, 64 px. Recipe of the Swin.
# Values without a source were chosen on training data for two CPU cores.
_base_ = ["../_base_/runtime/default.py", "../_base_/models/vit-demo.py"]
default_scope = "mmpretrain"
backbone_name = "vit-demo"
backbone_init = "library"  # torch's own scale, as the demo's Swin
protocol = dict(
    id="demo-classification",
    version=1,
    task="classification",
    dataset="simmim_bench demo, digits on photographs",
    split="val",
    image_size=64,
    epochs=5,
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)

model = dict(
    type="ImageClassifier",
    backbone=dict(
        **_base_.vit_demo,
        img_size=64,
        use_rel_pos_bias=True,
        use_shared_rel_pos_bias=False,
        final_norm=False,
        out_type="avg_featmap",
    ),
    neck=None,
    head=dict(
        type="LinearClsHead",
        num_classes=10,
        in_channels=128,
        loss=dict(type="LabelSmoothLoss", label_smooth_val=0.1, mode="original"),
    ),
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        num_classes=10,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)

train_dataloader = dict(
    batch_size=25,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/imagenet",
        data_prefix="train",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # mild crops, and no flip: it would change the digit
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.8, 1.0),
                interpolation="bicubic",
            ),
            dict(type="PackInputs"),
        ],
    ),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/imagenet",
        data_prefix="val",
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(64, 64), interpolation="bicubic"),
            dict(type="PackInputs"),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="Accuracy", topk=(1,))
test_evaluator = val_evaluator

optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=5.0),  # SimMIM, main_finetune.py
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1.5e-5,
        by_epoch=True,
        begin=1,
        end=5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=5, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=25)
