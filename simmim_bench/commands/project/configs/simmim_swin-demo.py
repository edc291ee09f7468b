# SimMIM of the demo, for comparison.
_base_ = ["simmim_bench::demo/simmim_swin-demo.py"]
