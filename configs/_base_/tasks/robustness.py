# Tests of classifiers that were trained on ImageNet-1k. The model and the preparation of images are
# those of the run that is tested; nothing is trained.
default_scope = "mmpretrain"
protocol = dict(
    task="classification",
    image_size=224,
    epochs=100,  # of the fine-tuning
    metrics=dict(top1="robustness/top1"),
    primary="top1",
)
robustness = dict(
    trained_by="imagenet-finetune-224-100e",  # protocol; runs of others deviate
    is_cropped=False,  # whether images are crops already, which are only resized
)

test_dataloader = dict(
    batch_size=128,
    num_workers=8,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="simmim_bench.ClassFolders", classes="imagenet_synsets.txt"),
)
test_evaluator = dict(type="simmim_bench.RobustAccuracy")
test_cfg = dict()
