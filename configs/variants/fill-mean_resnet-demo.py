# SimMIM with a ResNet whose hidden pixels are the mean colour of the dataset, where
# simmim_resnet-demo.py has a learned colour.
_base_ = ["./simmim_resnet-demo.py"]
pretraining = dict(method="simmim-fill-mean")

model = dict(type="simmim_bench.PixelSimMIM", mask_size=4, fill="mean")
