# SimMIM with a ResNet whose hidden pixels are normal noise of the dataset's mean and deviation,
# where simmim_resnet-demo.py has a learned colour.
_base_ = ["./simmim_resnet-demo.py"]
pretraining = dict(method="simmim-fill-noise")

model = dict(type="simmim_bench.PixelSimMIM", mask_size=4, fill="noise")
