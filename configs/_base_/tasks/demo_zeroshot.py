# Zero-shot classification: trained on the demo's captions, as retrieval_swin-demo.py, and evaluated
# on single digits. The class is the one whose sentence is nearest. No label is used.
default_scope = "mmpretrain"
protocol = dict(
    id="demo-zeroshot",
    version=2,
    task="classification",
    dataset="simmim_bench demo, digits on photographs; learned from captions of scenes",
    split="val",
    image_size=64,
    epochs=8,
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)

model = dict(
    type="simmim_bench.ImageTextAligner",
    embed_dims=128,
    temperature=0.07,  # CLIP, section 2.5
    class_names=["a 0", "a 1", "a 2", "a 3", "a 4", "a 5", "a 6", "a 7", "an 8", "a 9"],
    # captions of one digit in the middle, as the training has them
    templates=["one handwritten digit, {}, on a photograph", "{} at the centre"],
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
