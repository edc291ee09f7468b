# UperNet on Swin-L, 160 000 iterations at 512 px, batch 16, tested at several scales with flips:
# the recipe of ConvNeXt V2, which compares itself with SimMIM's transfer. Both start from backbones
# that were fine-tuned on ImageNet-1k: init_from in configs/suites/simmim_transfer.yaml.
# Values: https://arxiv.org/abs/2301.00808, section A.4, which searches learning rate (1e-4, 2e-4,
# 3e-4), layer decay (0.8, 0.9) and drop path (0.1 to 0.4); what it does not say is of
# Swin-Transformer-Semantic-Segmentation, as in upernet_swin-b_160k.py.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swin-l.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k.py",
    "../_base_/datasets/ade20k_views.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k-ms.py",
]
default_scope = "mmseg"
backbone_name = "swin-l"

model = dict(
    type="simmim_bench.MultiScaleSegmentor",
    backbone=dict(
        _base_.swin_l,
        img_size=512,
        window_size=14,
        # the last window is that of the ImageNet fine-tuning, too
        stage_cfgs=[dict(window_size=14)] * 3 + [dict(window_size=7)],
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.4,  # one of A.4's
    ),
    decode_head=dict(in_channels=[192, 384, 768, 1536], channels=512),
    auxiliary_head=dict(in_channels=768),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16
val_dataloader = dict(dataset=dict(pipeline=_base_.views))
test_dataloader = val_dataloader

optim_wrapper = dict(
    paramwise_cfg=dict(layer_decay=0.9),
    optimizer=dict(lr=1e-4, weight_decay=0.05),
)
