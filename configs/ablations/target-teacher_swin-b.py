# Features of a frozen teacher are predicted, whitened as in https://arxiv.org/abs/2205.14141.
# Another teacher: --cfg-options model.target.checkpoint=FILE model.target.model.type=timm.NAME
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-target-teacher")

model = dict(
    target=dict(
        type="simmim_bench.TeacherFeatures",
        checkpoint="{{$SIMMIM_BENCH_DATA:data}}/teachers/vit_base_patch16_224.safetensors",
        model=dict(type="timm.vit_base_patch16_224", img_size=192),
    ),
    loss=dict(_delete_=True, type="simmim_bench.MaskedSmoothL1Loss"),
)
