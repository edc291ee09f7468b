# SimMIM with the light transformer of sparse SimMIM as the head (MAE's, one block).
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-transformer")

model = dict(
    decoder=dict(
        _delete_=True, type="simmim_bench.LightTransformerDecoder", width=128, depth=1, heads=4
    )
)
