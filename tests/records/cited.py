"""Cited figures as their sources print them: repository, method, backbone, epochs of the
pretraining, protocol, metrics. Read again in the sources, not in ``results/published``.
"""

SIMMIM, MMPRETRAIN, MAE = "microsoft/SimMIM", "open-mmlab/mmpretrain", "facebookresearch/mae"
SWIN, VITDET = "SwinTransformer/Swin-Transformer-Object-Detection", "facebookresearch/detectron2"
MMSEG, MMDET = "open-mmlab/mmsegmentation", "open-mmlab/mmdetection"
CONVNEXT_V2, MODELHUB = "https://arxiv.org/abs/2301.00808", "microsoft/Swin-Transformer"
CONVMAE, FAST = "Alpha-VL/ConvMAE", "Alpha-VL/FastConvMAE"
UM_MAE, GREEN, LOCAL = "implus/UM-MAE", "LayneH/GreenMIM", "Haoqing-Wang/LocalMIM"
MIX, SPARK, UNILM = "Sense-X/MixMIM", "keyu-tian/SparK", "microsoft/unilm"
AT_192, AT_224, AT_512 = (f"imagenet-finetune-{size}-100e" for size in (192, 224, 512))
LSJ, MS = "coco-mask-rcnn-lsj-36e", "ade20k-upernet-160k-ms"
QUOTED, THEN = "convmae-ade20k-upernet-quoted", "fcmae, then supervised"
VIT_B, VIT_L, VIT_H = (f"plain-vit-{size}" for size in "blh")

GRID = {  # MODELHUB.md, after 125k, 250k and 500k iterations; "10%" is of ImageNet-1k
    "swinv2-s": {
        "ImageNet-1k 10%": (82.69, 83.11, 83.17),
        "ImageNet-1k 20%": (83.05, 83.56, 83.75),
        "ImageNet-1k 50%": (83.04, 83.67, 83.96),
        "ImageNet-1k": (82.92, 83.66, 84.08),
    },
    "swinv2-b": {
        "ImageNet-1k 10%": (83.33, 83.60, 83.41),
        "ImageNet-1k 20%": (83.86, 84.37, 84.61),
        "ImageNet-1k 50%": (84.04, 84.57, 84.95),
        "ImageNet-1k": (84.13, 84.65, 85.04),
        "ImageNet-22k": (84.11, 84.57, 85.11),
    },
    "swinv2-l": {
        "ImageNet-1k 10%": (83.69, 83.66, 83.50),
        "ImageNet-1k 20%": (84.38, 84.71, 84.59),
        "ImageNet-1k 50%": (84.78, 85.38, 85.80),
        "ImageNet-1k": (84.98, 85.45, 85.91),
        "ImageNet-22k": (84.61, 85.39, 85.81),
    },
    "swinv2-h": {
        "ImageNet-1k 20%": (84.35, 84.16, 83.44),
        "ImageNet-1k 50%": (85.09, 85.64, 85.69),
        "ImageNet-1k": (85.23, 85.90, 86.34),
        "ImageNet-22k": (85.14, 85.86, 86.27),
    },
    "swinv2-g": {
        "ImageNet-1k 50%": (85.44, 85.76, 85.51),
        "ImageNet-1k": (85.57, 86.12, 86.46),
        "ImageNet-22k": (85.39, 85.96, 86.53),
    },
}


def _mmpretrain(method, recipe, backbone, figures):
    protocol = f"mmpretrain-{recipe}"
    return [
        (MMPRETRAIN, method, backbone, epochs, protocol, [top1]) for epochs, top1 in figures.items()
    ]


CITED = [
    (SIMMIM, "simmim", "swin-b", 100, AT_192, [82.8]),
    (SIMMIM, "simmim", "swin-b", 100, AT_224, [83.5]),
    (SIMMIM, "simmim", "swin-b", 800, AT_224, [84.0]),
    (SIMMIM, "simmim", "swin-l", 800, AT_224, [85.4]),
    (SIMMIM, "simmim", "swinv2-h", 800, AT_224, [85.7]),
    (SIMMIM, "simmim", "swinv2-h", 800, AT_512, [87.1]),
    (SIMMIM, "simmim", "vit-b", 800, AT_224, [83.8]),
    (MMPRETRAIN, "simmim", "swin-b", 100, AT_192, [82.7]),
    (MMPRETRAIN, "simmim", "swin-b", 100, AT_224, [83.5]),
    (MMPRETRAIN, "simmim", "swin-b", 800, AT_224, [83.8]),
    (MMPRETRAIN, "simmim", "swin-l", 800, AT_224, [84.8]),
    *((MAE, "mae", VIT_B, 1600, "mae-imagenet-finetune-224-100e", [top1])
      for top1 in (83.63, 83.66, 83.52, 83.46)),
    (SWIN, "supervised", "swin-t", 300, "coco-mask-rcnn-3x", [46.0, 41.6]),
    (SWIN, "supervised", "swin-s", 300, "coco-mask-rcnn-3x", [48.5, 43.3]),
    (VITDET, "mae", VIT_B, None, "coco-mask-rcnn-vitdet-100e", [51.6, 45.9]),
    (VITDET, "mae", VIT_L, None, "coco-mask-rcnn-vitdet-100e", [55.5, 49.2]),
    (VITDET, "mae", VIT_H, None, "coco-mask-rcnn-vitdet-75e", [56.7, 50.2]),
    (MMSEG, "supervised", "swin-t", 300, "ade20k-upernet-160k", [44.41]),
    (MMSEG, "supervised", "swin-s", 300, "ade20k-upernet-160k", [47.72]),
    (MMSEG, "supervised", "swin-b", 300, "ade20k-upernet-160k", [47.99]),
    (MMSEG, "mae", VIT_B, None, "ade20k-upernet-160k-slide", [48.13]),
    (MMSEG, "beit, then supervised", "vit-b", None, "ade20k-upernet-160k-640-slide", [53.08]),
    (UNILM, "beit, then supervised", "vit-b", None, "ade20k-upernet-160k-640-slide", [53.61]),
    (UNILM, "beit, then supervised", "vit-b", None, "beit-ade20k-upernet-160k-640-ms", [54.26]),
    # ConvNeXt V2, tables 6, 7, 4 and 14
    (CONVNEXT_V2, "supervised", "convnext-b", None, LSJ, [50.3, 71.6, 56.1, 44.9, 68.5, 48.8]),
    (CONVNEXT_V2, "supervised", "convnextv2-b", None, LSJ, [51.0, 72.4, 56.6, 45.6, 69.5, 49.7]),
    (CONVNEXT_V2, "simmim", "swin-b", None, "simmim-coco-mask-rcnn", [52.3]),
    (CONVNEXT_V2, "fcmae", "convnextv2-b", None, LSJ, [52.9, 72.6, 58.9, 46.6, 70.0, 51.1]),
    (CONVNEXT_V2, "supervised", "convnext-l", None, LSJ, [50.6, 71.5, 56.3, 45.1, 68.7, 49.2]),
    (CONVNEXT_V2, "supervised", "convnextv2-l", None, LSJ, [51.5, 72.5, 57.3, 45.8, 69.4, 49.9]),
    (CONVNEXT_V2, "simmim", "swin-l", None, "simmim-coco-mask-rcnn", [53.8]),
    (CONVNEXT_V2, "fcmae", "convnextv2-l", None, LSJ, [54.4, 73.9, 60.4, 47.7, 71.4, 52.3]),
    (CONVNEXT_V2, "simmim", "swinv2-h", None, "simmim-coco-mask-rcnn", [54.4]),
    (CONVNEXT_V2, "fcmae", "convnextv2-h", None, LSJ, [55.7, 75.2, 61.8, 48.9, 72.8, 53.6]),
    (CONVNEXT_V2, "supervised", "convnext-b", None, MS, [49.9]),
    (CONVNEXT_V2, "supervised", "convnextv2-b", None, MS, [50.5]),
    (CONVNEXT_V2, "simmim, then supervised", "swin-b", None, "simmim-ade20k-upernet", [52.8]),
    (CONVNEXT_V2, THEN, "convnextv2-b", None, MS, [52.1]),
    (CONVNEXT_V2, "supervised", "convnext-l", None, MS, [50.5]),
    (CONVNEXT_V2, "supervised", "convnextv2-l", None, MS, [51.6]),
    (CONVNEXT_V2, "simmim, then supervised", "swin-l", None, "simmim-ade20k-upernet", [53.5]),
    (CONVNEXT_V2, THEN, "convnextv2-l", None, MS, [53.7]),
    (CONVNEXT_V2, "simmim, then supervised", "swinv2-h", None, "simmim-ade20k-upernet", [54.2]),
    (CONVNEXT_V2, THEN, "convnextv2-h", None, MS, [55.0]),
    (CONVNEXT_V2, f"{THEN} ImageNet-22k", "convnextv2-h", None,
     "convnextv2-ade20k-upernet-160k-640-ms", [57.0]),
    *((CONVNEXT_V2, "fcmae", f"convnextv2-{size}", None, "fcmae-imagenet-finetune-224-600e", [top1])
      for size, top1 in {"a": 76.7, "f": 78.5, "p": 80.3, "n": 81.9}.items()),
    (CONVNEXT_V2, "fcmae", "convnextv2-t", None, "fcmae-imagenet-finetune-224-300e", [83.0]),
    (CONVNEXT_V2, "fcmae", "convnextv2-b", 800, "fcmae-imagenet-finetune-224-100e", [84.6]),
    (CONVNEXT_V2, "fcmae", "convnextv2-b", 1600, "fcmae-imagenet-finetune-224-100e", [84.9]),
    (CONVNEXT_V2, "fcmae", "convnextv2-l", 800, "fcmae-imagenet-finetune-224-100e", [85.6]),
    (CONVNEXT_V2, "fcmae", "convnextv2-l", 1600, "fcmae-imagenet-finetune-224-100e", [85.8]),
    (CONVNEXT_V2, "fcmae", "convnextv2-h", 800, "fcmae-imagenet-finetune-224-50e", [85.8]),
    (CONVNEXT_V2, "fcmae", "convnextv2-h", 1600, "fcmae-imagenet-finetune-224-50e", [86.3]),
    (FAST, "simmim", "swin-b", 800, "fastconvmae-coco-36e", [50.4, 44.4]),
    (FAST, "greenmim", "swin-b", 800, "fastconvmae-coco-36e", [50.0, 44.1]),
    (CONVMAE, "convmae", "convvit-b", 1600, "convmae-coco-mask-rcnn-25e", [53.2, 47.1]),
    (CONVMAE, "convmae", "convvit-b", 1600, "convmae-ade20k-upernet-160k", [51.7]),
    (CONVMAE, "moco v3", VIT_B, 300, QUOTED, [47.3]),
    (CONVMAE, "dino", VIT_B, 400, QUOTED, [47.2]),
    (CONVMAE, "beit", "vit-b", 1600, QUOTED, [47.1]),
    (CONVMAE, "cae", VIT_B, 800, QUOTED, [48.8]),
    (CONVMAE, "mae", VIT_B, 1600, QUOTED, [48.1]),
    (MMDET, "mae", VIT_B, None, "coco-mask-rcnn-vitdet-100e", [51.6, 45.7]),
    (MMDET, "fcmae", "convnextv2-b", None, LSJ, [52.9, 46.4]),
    (MMDET, "moco v2", "resnet-50", 800, "mmdet-coco-mask-rcnn-1x", [38.0, 34.3]),
    (MMDET, "swav", "resnet-50", 800, "mmdet-coco-mask-rcnn-1x", [39.1, 35.7]),
    (MMDET, "moco v2", "resnet-50", 800, "mmdet-coco-mask-rcnn-ms-2x", [40.8, 36.8]),
    (MMDET, "swav", "resnet-50", 800, "mmdet-coco-mask-rcnn-ms-2x", [41.3, 37.3]),
    *_mmpretrain("mae", "mae-imagenet-finetune-224-100e", VIT_B,
                 {300: 83.1, 400: 83.3, 800: 83.3, 1600: 83.5}),
    *_mmpretrain("mae", "mae-imagenet-finetune-224-50e", VIT_L, {400: 85.2, 800: 85.4, 1600: 85.7}),
    *_mmpretrain("mae", "mae-imagenet-finetune-224-50e", VIT_H, {1600: 86.9}),
    *_mmpretrain("mae", "mae-imagenet-finetune-448-50e", VIT_H, {1600: 87.3}),
    *_mmpretrain("mae", "mae-imagenet-linear-224-90e", VIT_B,
                 {300: 60.8, 400: 62.5, 800: 65.1, 1600: 67.1}),
    *_mmpretrain("mae", "mae-imagenet-linear-224-90e", VIT_L, {400: 70.7, 800: 73.7, 1600: 75.5}),
    *_mmpretrain("beit", "beit-imagenet-finetune-224-100e", "vit-b", {300: 83.1}),
    *_mmpretrain("moco v3", "mocov3-imagenet-linear-224-90e", "resnet-50",
                 {100: 69.6, 300: 72.8, 800: 74.4}),
    *_mmpretrain("moco v3", "mocov3-imagenet-linear-224-90e", "plain-vit-s", {300: 73.6}),
    *_mmpretrain("moco v3", "mocov3-imagenet-linear-224-90e", VIT_B, {300: 76.9}),
    *_mmpretrain("moco v3", "mocov3-imagenet-finetune-224-150e", VIT_B, {300: 83.0}),
    *_mmpretrain("moco v3", "mocov3-imagenet-finetune-224-100e", VIT_L, {300: 83.7}),
    (MMPRETRAIN, "spark", "resnet-50", 800, "mmpretrain-spark-imagenet-finetune-224-300e",
     [80.1, 94.9]),
    (MMPRETRAIN, "spark", "convnextv2-t", 800, "mmpretrain-spark-imagenet-finetune-224-300e",
     [82.8, 96.3]),
    *_mmpretrain("mixmim", "mixmim-imagenet-finetune-224-100e", "swin-b", {300: 84.63}),
    (MIX, "mixmim", "swin-b", 600, "mixmim-imagenet-finetune-224-100e", [85.1]),
    (MIX, "mixmim", "swin-l", 600, "mixmim-imagenet-finetune-224-100e", [85.9]),
    (UM_MAE, "mae", VIT_B, 200, "um-mae-imagenet-finetune-100e", [82.88]),
    (UM_MAE, "um-mae", VIT_B, 200, "um-mae-imagenet-finetune-100e", [82.88]),
    (UM_MAE, "simmim", "pvt-s", 200, "um-mae-imagenet-finetune-256-100e", [79.28]),
    (UM_MAE, "um-mae", "pvt-s", 200, "um-mae-imagenet-finetune-256-100e", [79.31]),
    (UM_MAE, "simmim", "swin-t", 200, "um-mae-imagenet-finetune-256-100e", [82.2]),
    (UM_MAE, "um-mae", "swin-t", 200, "um-mae-imagenet-finetune-256-100e", [82.04]),
    (UM_MAE, "um-mae", "swin-l", 800, "um-mae-imagenet-finetune-256-100e", [85.2]),
    (GREEN, "greenmim", "swin-b", None, "greenmim-imagenet-finetune-224-100e", [83.7]),
    (GREEN, "greenmim", "swin-l", None, "greenmim-imagenet-finetune-224-100e", [85.1]),
    (LOCAL, "localmim-hog", VIT_B, 1600, "localmim-imagenet-finetune", [84.0]),
    (LOCAL, "localmim-hog", VIT_L, 800, "localmim-imagenet-finetune", [85.8]),
    (LOCAL, "localmim-pixel", "swin-b", 400, "localmim-imagenet-finetune", [84.0]),
    (LOCAL, "localmim-hog", "swin-b", 400, "localmim-imagenet-finetune", [84.1]),
    (LOCAL, "localmim-hog", "swin-l", 800, "localmim-imagenet-finetune", [85.6]),
    *((SPARK, "spark", f"resnet-{depth}", None, "spark-imagenet-finetune-224-300e", [top1])
      for depth, top1 in {50: 80.6, 101: 82.2, 152: 82.7, 200: 83.1}.items()),
    (SPARK, "spark", "convnext-s", None, "spark-imagenet-finetune-224-400e", [84.1]),
    (SPARK, "spark", "convnext-b", None, "spark-imagenet-finetune-224-400e", [84.8]),
    (SPARK, "spark", "convnext-l", None, "spark-imagenet-finetune-224-200e", [85.4]),
    (SPARK, "spark", "convnext-l", None, "spark-imagenet-finetune-384-200e", [86.0]),
    *((MODELHUB, "simmim", backbone, None, "simmim-data-imagenet-finetune", [top1])
      for backbone, data in GRID.items() for row in data.values() for top1 in row),
]  # fmt: skip
