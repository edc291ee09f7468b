# UperNet on Swin-L, 160 000 iterations at 640 px, batch 16.
# Values: https://arxiv.org/abs/2103.14030, appendix A2.3 (640 px, there after ImageNet-22K), and
# Swin-Transformer-Semantic-Segmentation,
# configs/swin/upernet_swin_base_patch4_window7_512x512_160k_ade20k.py; the window is that of the
# ImageNet fine-tuning.
_base_ = [
    "../_base_/runtime/by_iteration.py",
    "../_base_/models/swin-l.py",
    "../_base_/models/upernet.py",
    "../_base_/datasets/ade20k-640.py",
    "../_base_/schedules/ade20k_160k.py",
    "../_base_/protocols/ade20k-upernet-160k.py",
]
default_scope = "mmseg"
backbone_name = "swin-l"
protocol = dict(id="ade20k-upernet-160k-640", image_size=640)

model = dict(
    data_preprocessor=dict(size=(640, 640)),
    backbone=dict(
        _base_.swin_l,
        img_size=640,
        window_size=14,
        # the last window is that of the ImageNet fine-tuning, too
        stage_cfgs=[dict(window_size=14)] * 3 + [dict(window_size=7)],
        pad_small_map=True,
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.3,
    ),
    decode_head=dict(in_channels=[192, 384, 768, 1536], channels=512),
    auxiliary_head=dict(in_channels=768),
    test_cfg=dict(mode="whole"),
)
train_dataloader = dict(batch_size=2)  # x 8 devices = 16
