# Swin-B fine-tuned on CIFAR-100, enlarged to 224 px, batch 1024. The recipe is that of ImageNet
# (imagenet/swin-b_8xb128_ft-100e.py): methods are compared, not tuned.
_base_ = ["../imagenet/swin-b_8xb128_ft-100e.py"]
protocol = dict(id="cifar100-finetune-224-100e", dataset="CIFAR-100")

model = dict(
    head=dict(num_classes=100),
    data_preprocessor=dict(num_classes=100),
)
train_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar100/"))
val_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar100/"))
test_dataloader = val_dataloader
