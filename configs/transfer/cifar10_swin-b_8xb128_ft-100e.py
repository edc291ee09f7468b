# Swin-B fine-tuned on CIFAR-10, enlarged to 224 px, batch 1024. The recipe is that of ImageNet
# (imagenet/swin-b_8xb128_ft-100e.py): methods are compared, not tuned.
_base_ = ["../imagenet/swin-b_8xb128_ft-100e.py"]
protocol = dict(id="cifar10-finetune-224-100e", dataset="CIFAR-10")

model = dict(
    head=dict(num_classes=10),
    data_preprocessor=dict(num_classes=10),
)
train_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10/"))
val_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10/"))
test_dataloader = val_dataloader
