# Sparse SimMIM after GreenMIM (https://arxiv.org/abs/2205.13515): Swin-B encodes visible tokens
# only, and the images of a device share one mask. Recipe, target and mask (32 px, 0.6) are
# SimMIM's: simmim/swin-b_8xb128.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/swin-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-192.py",
    "../_base_/schedules/simmim_100e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-sparse", backbone="swin-b", dataset="ImageNet-1k", epochs=100, image_size=192
)

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(_base_.swin_b, img_size=192, window_size=6, drop_path_rate=0.0),
    one_mask_per_batch=True,  # GreenMIM, modeling/base_green_model.py
    decoder=dict(
        type="simmim_bench.LightTransformerDecoder",
        width=512,  # GreenMIM, scripts/run_greenmim_swin_base.sh: dec512b1
        depth=1,
        heads=16,  # GreenMIM, modeling/base_green_model.py
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
