# As painting_coco.py, with features of VGG-16 trained on ImageNet instead of a random network.
# Weights, mean and standard deviation: torchvision, VGG16_Weights.IMAGENET1K_V1,
# https://download.pytorch.org/models/vgg16-397923af.pth
_base_ = ["../_base_/tasks/painting.py"]
protocol = dict(
    id="coco-painting-vgg16",
    version=1,
    dataset="COCO 2017, own subset",
    split="val2017, the first 100 by name",
)
painting = dict(
    count=100,
    reference_network=dict(
        checkpoint="{{$SIMMIM_BENCH_DATA:data}}/teachers/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        network_mean=[123.675, 116.28, 103.53],  # 0 to 255
        network_std=[58.395, 57.12, 57.375],
    ),
)
test_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/coco", data_prefix="val2017")
)
