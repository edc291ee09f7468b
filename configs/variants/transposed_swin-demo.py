# SimMIM with transposed convolutions as the head. Ours.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(method="simmim-transposed")

model = dict(decoder=dict(_delete_=True, type="simmim_bench.TransposedConvDecoder"))
