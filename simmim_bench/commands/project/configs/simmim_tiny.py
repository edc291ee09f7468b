# SimMIM of the demo on the backbone of this project.
_base_ = ["simmim_bench::demo/simmim_swin-demo.py"]
custom_imports = dict(imports=["my_method"])
pretraining = dict(backbone="tiny")
model = dict(backbone=dict(_delete_=True, type="simmim_bench.TinyNet"))
