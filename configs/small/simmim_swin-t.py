# SimMIM pretraining that goes on from weights of a Swin-T (--init: timm, Hugging Face, a file),
# 64 px, on about a thousand photographs of your own, in folders or not: --data NAME,
# data/imagenet/train, or --data-root FOLDER.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/swin-t.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/demo_unlabelled.py",
    "../_base_/schedules/small_simmim.py",
]
default_scope = "mmpretrain"
pretraining = dict(method="simmim", backbone="swin-t")

model = dict(
    backbone=dict(
        _base_.swin_t,
        img_size=64,
        window_size=7,  # as in the weights for 224 px
        pad_small_map=True,  # the last stage is 2 x 2 tokens
        drop_path_rate=0.0,  # SimMIM, Swin pretraining
    )
)
train_dataloader = dict(
    dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/imagenet", data_prefix="train")
)
# between 2.5e-5 and 1.4e-4, what SimMIM's 8e-4 at batch 2048 becomes at batch 64 by the linear and
# by the square-root rule; nothing was tuned
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], eta_min=1e-6),
]
