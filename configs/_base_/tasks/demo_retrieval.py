# Contrastive alignment of the demo's scenes and captions: retrieval in both directions, 96 px.
default_scope = "mmpretrain"
protocol = dict(
    id="demo-retrieval",
    version=1,
    task="retrieval",
    dataset="simmim_bench demo, scenes with captions",
    split="val",
    image_size=96,
    epochs=8,
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
    embed_dims=128,
    temperature=0.07,  # CLIP, section 2.5
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="simmim_bench.CaptionsDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo/coco",
        ann_file="annotations/captions_val2017.json",
        data_prefix=dict(img_path="val2017"),
        test_mode=True,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="Resize", scale=(96, 96), interpolation="bicubic"),
            dict(type="PackInputs", algorithm_keys=("captions",)),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="simmim_bench.RetrievalRecall")
test_evaluator = val_evaluator
