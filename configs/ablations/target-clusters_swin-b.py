# 512 colour clusters are classified, as in iGPT (https://arxiv.org/abs/2111.09886, sections 3.4
# and 4.1.4). The palette is made by
# simmim-bench data palette data/imagenet/train --out data/imagenet/palette.json
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-target-clusters",
    backbone="swin-b",
    dataset="ImageNet-1k",
    epochs=100,
    image_size=192,
)

model = dict(
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
    target=dict(
        type="simmim_bench.ColourClusters",
        palette="{{$SIMMIM_BENCH_DATA:data}}/imagenet/palette.json",
    ),
    # a linear layer to all classes of 32 x 32 pixels would have 537 million weights
    decoder=dict(type="simmim_bench.ConvDecoder"),
    loss=dict(type="simmim_bench.MaskedCrossEntropyLoss"),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
