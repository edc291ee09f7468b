# Text transformer of the demo, over bytes. Its size was not tuned.
text_demo = dict(
    type="simmim_bench.ByteTextEncoder", channels=128, depth=2, num_heads=4, max_bytes=112
)
pixels = dict(
    type="mmpretrain.ClsDataPreprocessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
