# Retrieval between COCO's images and captions: Swin-B with a text transformer of 6 layers, batch
# 256, 224 px, from the captions alone. Loss, temperature and betas: CLIP, section 2.5 and table 18.
# Schedule and size of the text transformer are ours; no published recipe starts without text.
_base_ = ["../_base_/runtime/default.py", "../_base_/models/swin-b.py"]
default_scope = "mmpretrain"
backbone_name = "swin-b"
protocol = dict(
    id="coco-retrieval",
    version=1,
    task="retrieval",
    dataset="COCO 2017 captions",
    split="val",
    image_size=224,
    epochs=30,
    metrics=dict(
        mean_recall="retrieval/mean_recall",
        i2t_r1="retrieval/i2t_r1",
        i2t_r5="retrieval/i2t_r5",
        i2t_r10="retrieval/i2t_r10",
        t2i_r1="retrieval/t2i_r1",
        t2i_r5="retrieval/t2i_r5",
        t2i_r10="retrieval/t2i_r10",
    ),
    primary="mean_recall",
)

model = dict(
    type="simmim_bench.ImageTextAligner",
    backbone=dict(_base_.swin_b, img_size=224, window_size=7, drop_path_rate=0.1),
    text=dict(
        type="simmim_bench.ByteTextEncoder",
        channels=512,
        depth=6,
        num_heads=8,
        max_bytes=128,  # most captions of COCO have less than 80
        dropout=0.1,
    ),
    embed_dims=512,
    temperature=0.07,
    data_preprocessor=dict(
        type="mmpretrain.ClsDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
bicubic = dict(backend="pillow", interpolation="bicubic")
train_dataloader = dict(
    batch_size=32,  # x 8 devices = 256
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/captions_train2017.json",
        data_prefix=dict(img_path="train2017"),
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # random square crops (CLIP, section 2.4); no flip: captions say left and right
            dict(type="RandomResizedCrop", scale=224, crop_ratio_range=(0.5, 1.0), **bicubic),
            dict(type="simmim_bench.PickCaption"),
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/coco/",
        ann_file="annotations/captions_val2017.json",
        data_prefix=dict(img_path="val2017"),
        max_captions=5,  # Karpathy's protocol, https://arxiv.org/abs/1412.2306
        test_mode=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(224, 224), **bicubic),  # the whole image, as captions are
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="simmim_bench.RetrievalRecall")
test_evaluator = val_evaluator

optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=0.9),  # Swin-B after 100 epochs: SimMIM's fine-tuning
    optimizer=dict(type="AdamW", lr=5e-4, weight_decay=0.2, betas=(0.9, 0.98), eps=1e-6),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=3,
    warmup_factor=1e-3,
    min_factor=1e-3,
    end=30,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=30, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
