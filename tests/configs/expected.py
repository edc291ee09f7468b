"""What tests/configs/test_configs.py expects: full-size configs and values of the originals."""

from simmim_bench.tasks.detection import METRIC_NAMES

FULL_SIZE = {
    "ade20k/upernet_swin-b_160k_ms.py",
    "ade20k/upernet_swin-l_160k_ms.py",
    "ade20k/upernet_swinv2-h_160k_ms.py",
    "coco/mask-rcnn_swin-b_fpn_lsj-36e.py",
    "coco/mask-rcnn_swin-l_fpn_lsj-36e.py",
    "coco/mask-rcnn_swinv2-h_fpn_lsj-36e.py",
    "coco/faster-rcnn_convnext-b_fpn_3x.py",
    "coco/faster-rcnn_plain-vit-b_fpn_100e.py",
    "coco/faster-rcnn_resnet-50_fpn_1x.py",
    "coco/faster-rcnn_resnet-50_fpn_3x.py",
    "coco/faster-rcnn_swin-b_fpn_1x.py",
    "coco/faster-rcnn_swin-b_fpn_3x.py",
    "coco/faster-rcnn_swinv2-b_fpn_1x.py",
    "coco/faster-rcnn_swinv2-b_fpn_3x.py",
    "coco/faster-rcnn_vit-b_fpn_100e.py",
    "transfer/simmim-coco_swin-b_8xb128_800e.py",
    "ade20k/upernet_plain-vit-b_160k.py",
    "ade20k/upernet-beit_vit-b_160k.py",
    "baselines/beit_vit-b_8xb256_300e.py",
    "coco/retrieval_swin-b_30e.py",
    "coco/mask-rcnn_plain-vit-b_fpn_100e.py",
    "imagenet/plain-vit-b_8xb2048_linear-90e.py",
    "imagenet/plain-vit-b_knn.py",
    "simmim/plain-vit-b_8xb128.py",
    "transfer/cifar10_swin-b_8xb128_ft-100e.py",
    "transfer/cifar10_vit-b_8xb128_ft-100e.py",
    "transfer/cifar100_swin-b_8xb128_ft-100e.py",
    "transfer/cifar100_vit-b_8xb128_ft-100e.py",
    "transfer/camvid_upernet_swin-b_20k.py",
    "transfer/cityscapes_upernet_swin-b_80k.py",
    "transfer/imagenet-10percent_swin-b.py",
    "transfer/imagenet-10percent_vit-b.py",
    "transfer/imagenet-1percent_swin-b.py",
    "transfer/imagenet-1percent_vit-b.py",
    "transfer/imagenet-5shot_swin-b.py",
    "transfer/imagenet-5shot_vit-b.py",
    "ade20k/upernet_convnext-b_160k.py",
    "ade20k/upernet_resnet-50_160k.py",
    "ade20k/upernet_swin-l_160k_640.py",
    "ade20k/upernet_swinv2-b_160k.py",
    "baselines/mae_vit-b_8xb512_800e.py",
    "baselines/mocov3_vit-b_16xb256_300e.py",
    "coco/cascade-mask-rcnn_swin-b_fpn_3x.py",
    "coco/mask-rcnn_convnext-b_fpn_3x.py",
    "coco/mask-rcnn_resnet-50_fpn_1x.py",
    "coco/mask-rcnn_resnet-50_fpn_3x.py",
    "coco/mask-rcnn_swinv2-b_fpn_1x.py",
    "coco/mask-rcnn_swinv2-b_fpn_3x.py",
    "imagenet/convnext-b_8xb128_ft-100e.py",
    "imagenet/plain-vit-b_8xb128_ft-100e.py",
    "imagenet/resnet-50_8xb128_ft-100e.py",
    "simmim/convnext-b_8xb128.py",
    "simmim/resnet-50_8xb128.py",
    "ade20k/upernet_swin-b_160k.py",
    "ade20k/upernet_vit-b_160k.py",
    "coco/mask-rcnn_swin-b_fpn_1x.py",
    "coco/mask-rcnn_swin-b_fpn_3x.py",
    "coco/mask-rcnn_vit-b_fpn_100e.py",
    "imagenet/swin-b-w6-192_8xb128_ft-100e.py",
    "imagenet/swin-b-pt800_8xb128_ft-100e.py",
    "imagenet/swin-b_8xb128_ft-100e.py",
    "imagenet/swin-b_8xb2048_linear-90e.py",
    "imagenet/swin-b_knn.py",
    "imagenet/swin-l-w14-224_8xb128_ft-100e.py",
    "imagenet/swinv2-b-w14-224_8xb128_ft-100e.py",
    "imagenet/swinv2-h-w14-224_32xb32_ft-100e.py",
    "imagenet/swinv2-h-w32-512_128xb8_ft-100e.py",
    "imagenet/vit-b_8xb128_ft-100e.py",
    "imagenet/vit-b_8xb2048_linear-90e.py",
    "imagenet/vit-b_knn.py",
    "simmim/swin-b_8xb128.py",
    "simmim/swin-b_8xb128_800e.py",
    "simmim/swin-l_8xb128_800e.py",
    "simmim/swinv2-b_8xb128_800e.py",
    "simmim/swinv2-h_32xb32_800e.py",
    "simmim/vit-b_8xb128.py",
}
# Millions, as the original code builds them.
PUBLISHED = {
    "simmim/swin-b_8xb128.py": 89.87,
    "simmim/swin-b_8xb128_800e.py": 89.87,
    "transfer/simmim-coco_swin-b_8xb128_800e.py": 89.87,
    # mmpretrain's 199.92 has a window of 12 in the last stage, too; the original's is 6.
    "simmim/swin-l_8xb128_800e.py": 199.88,
    "imagenet/swin-b-w6-192_8xb128_ft-100e.py": 87.75,
    "imagenet/swin-b_8xb128_ft-100e.py": 87.77,
}
ARCHITECTURES = {
    "swin-b": {"embed_dims": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]},
    "swin-l": {"embed_dims": 192, "depths": [2, 2, 18, 2], "num_heads": [6, 12, 24, 48]},
    "swinv2-b": {
        "embed_dims": 128,
        "depths": [2, 2, 18, 2],
        "num_heads": [4, 8, 16, 32],
        "extra_norm_every_n_blocks": 0,
    },
    "swinv2-h": {
        "embed_dims": 352,
        "depths": [2, 2, 18, 2],
        "num_heads": [11, 22, 44, 88],
        "extra_norm_every_n_blocks": 6,
    },
    "convnext-b": {"depths": [3, 3, 27, 3], "channels": [128, 256, 512, 1024]},
    "plain-vit-b": {
        "embed_dims": 768,
        "num_layers": 12,
        "num_heads": 12,
        "feedforward_channels": 3072,
    },
    "resnet-50": None,  # depth=50
    "vit-b": {
        "embed_dims": 768,
        "num_layers": 12,
        "num_heads": 12,
        "feedforward_channels": 3072,
    },
}
# Base learning rates of the original, for a batch of 512, by epochs of pretraining.
RATES = {100: 2e-4, 800: 1e-4}
FINE_TUNING_RATE = 1.25e-3
FROZEN = {  # what is trained
    f"imagenet/{backbone}-b_{kind}.py": names
    for backbone in ("swin", "vit", "plain-vit")
    for kind, names in (
        ("8xb2048_linear-90e", ["head.fc.weight", "head.fc.bias"]),
        ("knn", ["step"]),
    )
}
PARTLY_FIXED = {"simmim_bench.LinearProbe", "simmim_bench.KNNClassifier", "MoCoV3", "BEiT"}
MAY_BE_FIXED = {"backbone.pos_embed", "neck.decoder_pos_embed"}  # MAE's sines and cosines
LINEAR_RATE = 0.1 * 16384 / 256  # MAE, main_linprobe.py
# TRAIN.LAYER_DECAY, MODEL.DROP_PATH_RATE of the original's simmim_finetune__*.yaml.
FINE_TUNING = {
    "imagenet/swin-b-w6-192_8xb128_ft-100e.py": (0.9, 0.1),
    "imagenet/swin-b_8xb128_ft-100e.py": (0.9, 0.1),
    "imagenet/swin-b-pt800_8xb128_ft-100e.py": (0.8, 0.1),
    "imagenet/swin-l-w14-224_8xb128_ft-100e.py": (0.7, 0.2),
    "imagenet/swinv2-b-w14-224_8xb128_ft-100e.py": (0.75, 0.1),
    # not published; as Swin-B's
    "imagenet/convnext-b_8xb128_ft-100e.py": (0.9, 0.1),
    "imagenet/resnet-50_8xb128_ft-100e.py": (0.9, 0.0),
    "imagenet/plain-vit-b_8xb128_ft-100e.py": (0.65, 0.1),
    # not published; as Swin-L's
    "imagenet/swinv2-h-w14-224_32xb32_ft-100e.py": (0.7, 0.2),
    "imagenet/swinv2-h-w32-512_128xb8_ft-100e.py": (0.7, 0.2),
    "imagenet/vit-b_8xb128_ft-100e.py": (0.65, 0.1),
    **{f"transfer/cifar{n}_swin-b_8xb128_ft-100e.py": (0.9, 0.1) for n in (10, 100)},
    **{f"transfer/cifar{n}_vit-b_8xb128_ft-100e.py": (0.65, 0.1) for n in (10, 100)},
}
EVALUATED = {
    "Accuracy": {"accuracy/top1", "accuracy/top5"},
    "simmim_bench.CocoMetric": {
        f"coco/{kind}_{f}" for kind in ("bbox", "segm") for f in METRIC_NAMES
    },
    "simmim_bench.RetrievalRecall": {
        "retrieval/mean_recall",
        *(f"retrieval/{way}_r{k}" for way in ("i2t", "t2i") for k in (1, 5, 10)),
    },
    "simmim_bench.AnswerAccuracy": {
        f"vqa/{figure}{kind}"
        for figure in ("accuracy", "majority")
        for kind in ("", "_count", "_presence", "_leftmost", "_largest", "_comparison")
    },
    "simmim_bench.IoUMetric": {"mIoU", "mAcc", "aAcc"},
    "simmim_bench.KNNAccuracy": {f"knn/top1_k{k}" for k in (10, 20, 100, 200)},
}
EPOCHS = {"1x": 12, "3x": 36}
# height and width of what segmentation is trained on
CROPS = {
    "upernet": [512, 512],
    "upernet-beit": [512, 512],
    "camvid": [360, 480],
    "cityscapes": [512, 1024],
}
