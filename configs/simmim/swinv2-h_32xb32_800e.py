# SimMIM, Swin V2-H, 800 epochs at 192 px, batch 2048.
# The paper reports this model (https://arxiv.org/abs/2111.09886, section 4.3) and publishes no
# config for it: epochs, image and mask are the paper's, all else is that of Swin V2-B:
# https://github.com/microsoft/Swin-Transformer/blob/main/configs/simmim/
# simmim_pretrain__swinv2_base__img192_window12__800ep.yaml.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swinv2-h.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="swinv2-h", dataset="ImageNet-1k", epochs=800, image_size=192
)

model = dict(
    backbone=dict(
        _base_.swinv2_h,
        img_size=192,
        # the last stage is 6 x 6 tokens, and the original's window never exceeds the stage
        window_size=[12, 12, 12, 6],
        drop_path_rate=0.1,  # Swin V2-B's
        with_cp=True,  # less memory, more time, the same results
    ),
    # MODEL.SIMMIM.NORM_TARGET of Swin V2-B
    target=dict(type="simmim_bench.WindowNormalisedRGB", window_size=47),
)
train_dataloader = dict(batch_size=32)  # x 32 devices x 2 iterations = 2048
