# Linear layers of eleven learning rates on frozen features, trained at once; a tenth of the images,
# held out, chooses one. The grid of DINOv2 (https://github.com/facebookresearch/dinov2,
# eval/linear.py) has rates of 1e-5 to 0.1 for features as they are; ours have variance 1, as those
# of the probe of MAE, and the rates are that of this probe, 0.1 at batch 256, and around it.
default_scope = "mmpretrain"
protocol = dict(
    task="classification",
    split="val",
    metrics=dict(top1="accuracy/top1"),
    primary="top1",
)
model = dict(
    type="simmim_bench.LinearGrid",
    channels=0,
    num_classes=0,
    rates=11,
    held_out=10,
    data_preprocessor=dict(
        type="ClsDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    precision="float32",
)

multipliers = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9),  # MAE, main_linprobe.py
    paramwise_cfg=dict(
        custom_keys={
            f"layers.{layer}.": dict(lr_mult=multiplier)
            for layer, multiplier in enumerate(multipliers)
        }
    ),
)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
