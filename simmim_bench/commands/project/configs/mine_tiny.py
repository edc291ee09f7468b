# The method and the mask of this project on its backbone.
_base_ = ["mine_swin-demo.py"]
pretraining = dict(backbone="tiny")
model = dict(backbone=dict(_delete_=True, type="simmim_bench.TinyNet"))
