# A plain CNN of the demo's size, 1.9 M parameters: 3x3 convolutions, batch norm, ReLU.
cnn_demo = dict(
    type="simmim_bench.PlainCNN",
    channels=(32, 64, 128, 256),
    depths=(2, 2, 3, 3),
    out_indices=(3,),
    norm_cfg=dict(type="BN"),
)
