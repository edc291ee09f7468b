# The demo's pretraining on about a thousand photographs of your own, sorted into folders or not:
# data/imagenet/train, or --data-root FOLDER. Chosen for two CPU cores: six minutes.
_base_ = ["../demo/simmim_swin-demo.py"]
pretraining = dict(dataset="ImageNet, own subset", epochs=80)

train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet", data_prefix="train")
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=8, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=8,
        end=80,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=80)
