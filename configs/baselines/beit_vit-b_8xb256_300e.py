# BEiT, ViT-B in BEiT's style, 300 epochs at 224 px, batch 2048, by mmpretrain's algorithm. Its
# tokenizer is a file: https://mmassets.onedl.ai/mmselfsup/1.x/target_generator_ckpt/
# dalle_encoder.pth; from elsewhere: --cfg-options model.target_generator.checkpoint=FILE
# Values: https://arxiv.org/abs/2106.08254, appendix; https://github.com/microsoft/unilm,
# beit/run_beit_pretraining.py; mmpretrain 1.2,
# configs/beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py.
_base_ = [
    "../_base_/runtime/full_size.py",
    "../_base_/models/beit.py",
    "../_base_/datasets/imagenet_beit-224.py",
    "../_base_/schedules/beit_300e.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="beit", backbone="vit-b", dataset="ImageNet-1k", epochs=300, image_size=224
)

model = dict(
    backbone=dict(
        arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        init_cfg=[
            dict(type="TruncNormal", std=0.02, layer="Linear"),
            dict(type="TruncNormal", std=0.02, layer="Conv2d"),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ],
    ),
    head=dict(embed_dims=768, num_embed=8192),
    target_generator=dict(
        type="simmim_bench.DallETokenizer",
        checkpoint="{{$SIMMIM_BENCH_DATA:data}}/teachers/dalle_encoder.pth",
    ),
    data_preprocessor=dict(
        # of the tokenizer: 0.8 x + 0.1 (dall_e/utils.py, map_pixels)
        second_mean=[-31.875, -31.875, -31.875],
        second_std=[318.75, 318.75, 318.75],
    ),
)
train_dataloader = dict(batch_size=256)  # x 8 devices = 2048
