# The demo's classification on CIFAR-10 as folders of images: data/cifar10/{train,val}/<class>/*.
# Any other such data: --data-root FOLDER --num-classes N.
_base_ = ["../demo/classification_swin-demo.py"]
protocol = dict(id="small-cifar10", dataset="CIFAR-10, own subset", epochs=5)

train_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10"))
val_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/cifar10"))
test_dataloader = val_dataloader
