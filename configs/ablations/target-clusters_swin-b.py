# 512 colour clusters are classified, as in iGPT (https://arxiv.org/abs/2111.09886, sections 3.4
# and 4.1.4). The palette is made by
# python tools/prepare_data.py palette data/imagenet/train --out data/imagenet/palette.json
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-target-clusters")

model = dict(
    target=dict(
        type="simmim_bench.ColourClusters",
        palette="{{$SIMMIM_BENCH_DATA:data}}/imagenet/palette.json",
    ),
    # a linear layer to all classes of 32 x 32 pixels would have 537 million weights
    decoder=dict(_delete_=True, type="simmim_bench.ConvDecoder"),
    loss=dict(_delete_=True, type="simmim_bench.MaskedCrossEntropyLoss"),
)
