# SimMIM pretraining of a 2.3 M parameter Swin on the unlabelled demo images, 64 px.
# Values without a source were chosen on training data for two CPU cores.
_base_ = ["../_base_/runtime/default.py", "../_base_/models/swin-demo.py"]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim",
    backbone="swin-demo",
    dataset="simmim_bench demo, unlabelled",
    epochs=5,
    image_size=64,
)

model = dict(
    type="simmim_bench.SimMIM",
    backbone=_base_.swin_demo,
    init_cfg=[],  # torch's own scale; see swin-demo.py
    decoder=dict(type="simmim_bench.LinearDecoder"),
    loss=dict(type="simmim_bench.MaskedL1Loss"),
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    drop_last=True,
    dataset=dict(
        type="CustomDataset",
        data_root="{{$SIMMIM_BENCH_DATA:data}}/demo",
        data_prefix="unlabelled",
        with_label=False,
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # crop scale: SimMIM, appendix A
            dict(
                type="RandomResizedCrop",
                scale=64,
                crop_ratio_range=(0.67, 1.0),
                interpolation="bicubic",
            ),
            # mask ratio 0.6: SimMIM, section 4.1.2; a quarter of the image side per mask patch
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=16,
                mask_ratio=0.6,
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ],
    ),
)

optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=5.0),  # SimMIM, main_simmim.py
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=2e-5,
        by_epoch=True,
        begin=1,
        end=5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=5)
auto_scale_lr = dict(base_batch_size=64)
