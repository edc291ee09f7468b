# Fine-tuning of the backbone of this project: ten digits.
_base_ = ["simmim_bench::demo/classification_swin-demo.py"]
custom_imports = dict(imports=["my_method"])
backbone_name = "tiny"
model = dict(
    backbone=dict(_delete_=True, type="simmim_bench.TinyNet"),
    head=dict(in_channels=32),
)
