# Fine-tuning of the demo's Swin: ten digits.
_base_ = ["simmim_bench::demo/classification_swin-demo.py"]
