# Sparse SimMIM after MAE (https://arxiv.org/abs/2111.06377): a plain ViT-B encodes visible tokens
# only. Recipe, target and mask (32 px, 0.6) are SimMIM's: simmim/plain-vit-b_8xb128.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/plain-vit-b.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_simmim-224.py",
    "../_base_/schedules/simmim_800e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim-sparse",
    backbone="plain-vit-b",
    dataset="ImageNet-1k",
    epochs=800,
    image_size=224,
)

model = dict(
    type="simmim_bench.SparseSimMIM",
    backbone=dict(
        _base_.plain_vit_b,
        img_size=224,
        drop_path_rate=0.1,  # MODEL.DROP_PATH_RATE
        final_norm=True,
        out_type="featmap",
    ),
    decoder=dict(
        type="simmim_bench.LightTransformerDecoder",
        width=512,
        depth=1,  # MAE, table 1a: fine-tuned, 1 block is as good as 8
        heads=16,
    ),
)
train_dataloader = dict(batch_size=128)  # x 8 devices x 2 iterations = 2048
