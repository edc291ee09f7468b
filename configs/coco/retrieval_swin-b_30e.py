# Retrieval between COCO's images and captions: Swin-B with a text transformer of 6 layers, batch
# 256, 224 px, from the captions alone. Loss, temperature and betas: CLIP, section 2.5 and table 18.
# Schedule and size of the text transformer are ours; no published recipe starts without text.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-b.py",
    "../_base_/datasets/coco_captions.py",
    "../_base_/schedules/coco_captions-30e.py",
]
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
train_dataloader = dict(batch_size=32)  # x 8 devices = 256
val_evaluator = dict(type="simmim_bench.RetrievalRecall")
test_evaluator = val_evaluator

# Swin-B after 100 epochs: SimMIM's fine-tuning
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.9))
