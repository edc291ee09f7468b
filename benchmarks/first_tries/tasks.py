"""What people try first: for each task the commands of the documentation, in order.

Places: ``{brought}`` the data, ``{weights}``, ``{work}`` for outputs, ``{address}`` of a web server
with the weights. Lengths are cut (``--epochs``), and runs are of the kind ``smoke``.
"""

from __future__ import annotations

from dataclasses import dataclass

PREPARE = "simmim-bench data"
TRAIN = "simmim-bench train"
SMALL = "configs/small"
PRETRAIN = f"{TRAIN} {SMALL}/simmim_swin-demo.py --kind smoke --epochs 9"
PRETRAINED = "--pretrained '{work}/photos/export/backbone.pth'"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One wish.

    Attributes:
        name: What a user has and wants.
        commands: In order.
        says: What the last one prints.
        code: Exit code of the last one.
    """

    name: str
    commands: tuple[str, ...]
    says: str = ""
    code: int = 0


def _bring(name: str, *options: str) -> tuple[str, ...]:
    words = " ".join(("", *options))
    return (
        f"{PREPARE} inspect '{{brought}}/{name}' --out '{{work}}/look/{name}'",
        f"{PREPARE} import {name} --from '{{brought}}/{name}'{words}",
    )


def _train(config: str, name: str, *options: str, start: str = "--from-scratch") -> str:
    words = " ".join((start, *options))
    return (
        f"{TRAIN} {config} --data {name} --kind smoke --work-dir '{{work}}/{name}' {words}".rstrip()
    )


def _knn(given: str, name: str, *options: str) -> str:
    words = " ".join(("", *options))
    return (
        f"{TRAIN} configs/any/knn.py --pretrained '{given}' --data classes "
        f"--work-dir '{{work}}/knn {name}' --kind smoke{words}"
    )


def _weights(name: str, file: str, *options: str) -> Task:
    command = _knn(f"{{weights}}/{file}", file, *options)
    return Task(name=name, commands=(command,), says="knn/top1")


DATA = (
    Task(
        name="photos of eight suffixes in folders that are no classes: pretrain, export",
        commands=(
            *_bring("mixed", "--layout images"),
            f"{PRETRAIN} --data mixed --work-dir '{{work}}/photos'",
            "simmim-bench export '{work}/photos' --out '{work}/photos/export'",
        ),
        says="backbone.pth",
    ),
    Task(
        name="class folders in four scripts, no split: fine-tune",
        commands=(
            *_bring("classes", "--split 0.75"),
            _train(f"{SMALL}/cifar10_swin-demo.py", "classes", "--epochs 5", start=PRETRAINED),
        ),
        says="accuracy/top1",
    ),
    Task(
        name="16-bit grey PNGs, folders called training and validation: fine-tune",
        commands=(
            *_bring("grey_16_bits"),
            _train(f"{SMALL}/cifar10_swin-demo.py", "grey_16_bits", "--epochs 5"),
        ),
        says="accuracy/top1",
    ),
    Task(
        name="TIFFs of four bands, 12 bits in 16: pretrain, look at reconstructions",
        commands=(
            *_bring("four_bands", "--channels 4"),
            f"{PRETRAIN} --data four_bands --work-dir '{{work}}/four_bands'",
            "simmim-bench export '{work}/four_bands' --out '{work}/four_bands/export'",
        ),
        says="backbone.pth",
    ),
    Task(
        name="class folders of four bands from the pretraining of four bands",
        commands=(
            *_bring("four_band_classes", "--split 0.75", "--channels 4"),
            _train(
                f"{SMALL}/cifar10_swin-demo.py",
                "four_band_classes",
                "--epochs 5",
                start="--pretrained '{work}/four_bands/export/backbone.pth'",
            ),
        ),
        says="accuracy/top1",
    ),
    Task(
        name="four bands from weights of three channels",
        commands=(
            f"{TRAIN} configs/any/knn.py --data four_band_classes {PRETRAINED} --widen mean "
            "--kind smoke --work-dir '{work}/widened'",
        ),
        says="knn/top1",
    ),
    Task(
        name="twelve float bands of any range, planes: pretrain",
        commands=(
            *_bring("twelve_bands"),
            f"{PRETRAIN} --data twelve_bands --work-dir '{{work}}/twelve_bands'",
        ),
        says="PSNR",
    ),
    Task(
        name="one float band: pretrain",
        commands=(
            *_bring("one_band"),
            f"{PRETRAIN} --data one_band --work-dir '{{work}}/one_band'",
        ),
        says="PSNR",
    ),
    Task(
        name="Pascal VOC: Faster R-CNN",
        commands=(
            *_bring("voc"),
            _train(f"{SMALL}/faster-rcnn_swin-demo_fpn.py", "voc", "--epochs 2", start=PRETRAINED),
        ),
        says="bbox_mAP",
    ),
    Task(
        name="YOLO boxes: Faster R-CNN",
        commands=(
            *_bring("yolo"),
            _train(f"{SMALL}/faster-rcnn_swin-demo_fpn.py", "yolo", "--epochs 2", start=PRETRAINED),
        ),
        says="bbox_mAP",
    ),
    Task(
        name="YOLO polygons: Mask R-CNN",
        commands=(
            *_bring("yolo_polygons"),
            _train(
                f"{SMALL}/mask-rcnn_swin-demo_fpn.py",
                "yolo_polygons",
                "--epochs 2",
                start=PRETRAINED,
            ),
        ),
        says="segm_mAP",
    ),
    Task(
        name="COCO with own folder names: Mask R-CNN",
        commands=(
            *_bring("pets"),
            _train(f"{SMALL}/mask-rcnn_swin-demo_fpn.py", "pets", "--epochs 2", start=PRETRAINED),
        ),
        says="segm_mAP",
    ),
    Task(
        name="COCO with boxes alone: Mask R-CNN names the config to use",
        commands=(
            *_bring("coco_boxes"),
            _train(f"{SMALL}/mask-rcnn_swin-demo_fpn.py", "coco_boxes"),
        ),
        says="faster-rcnn_swin-demo_fpn.py",
        code=2,
    ),
    Task(
        name="label maps with a palette, 255 unlabelled, 0 a class: UperNet",
        commands=(
            *_bring("palette"),
            _train(f"{SMALL}/upernet_swin-demo.py", "palette", "--epochs 2", start=PRETRAINED),
        ),
        says="mIoU",
    ),
    Task(
        name="table of names and labels: linear probe",
        commands=(
            *_bring("table", "--split 0.75"),
            _train("configs/any/linear.py", "table", "--epochs 2", start=PRETRAINED),
        ),
        says="accuracy/top1",
    ),
    Task(
        name="the same with tabs: k-NN",
        commands=(
            *_bring("tabs", "--split 0.75"),
            _train("configs/any/knn.py", "tabs", start=PRETRAINED),
        ),
        says="knn/top1",
    ),
    Task(
        name="Parquet of Hugging Face datasets: k-NN",
        commands=(*_bring("parquet"), _train("configs/any/knn.py", "parquet", start=PRETRAINED)),
        says="knn/top1",
    ),
    Task(
        name="tar shards of webdataset: pretrain",
        commands=(
            *_bring("shards"),
            f"{PRETRAIN} --data shards --work-dir '{{work}}/shards'",
        ),
        says="PSNR",
    ),
    Task(
        name="are photos of the pretraining among those of the validation?",
        commands=(
            f"{PREPARE} inspect '{{brought}}/mixed' --against '{{brought}}/voc' "
            "--out '{work}/look/against'",
        ),
        says="share",
    ),
    Task(
        name="other image size: fine-tune at 96 px",
        commands=(
            f"{TRAIN} {SMALL}/cifar10_swin-demo.py --data classes {PRETRAINED} --image-size 96 "
            "--kind smoke --epochs 5 --work-dir '{work}/size 96'",
        ),
        says="accuracy/top1",
    ),
    Task(
        name="does it fit? --try with own boxes and another size",
        commands=(
            f"{TRAIN} {SMALL}/faster-rcnn_swin-demo_fpn.py --data voc --image-size 160 --try "
            "--from-scratch --work-dir '{work}/try'",
        ),
        says="--try passed",
    ),
)
USE = (
    Task(
        name="train a finished pretraining longer, under a name of its own",
        commands=(
            f"{PRETRAIN} --data mixed --name mine --work-dir '{{work}}/mine'",
            f"{TRAIN} {SMALL}/simmim_swin-demo.py --kind smoke --epochs 11 --data mixed "
            "--name mine --work-dir '{work}/mine' --resume",
        ),
        says="Saving checkpoint at 11 epochs",
    ),
    Task(
        name="continue pretraining from an export on other images",
        commands=(
            f"{PRETRAIN} --data shards --init '{{work}}/photos/export/backbone.pth' "
            "--work-dir '{work}/continued'",
        ),
        says="PSNR",
    ),
    *(
        Task(
            name=f"predict a folder: {what}",
            commands=(
                f"simmim-bench predict '{{work}}/{run}' '{{brought}}/{images}' "
                f"--out '{{work}}/predicted {run}'",
            ),
            says="predicted",
        )
        for what, run, images in (
            ("classes", "classes", "grey_16_bits"),
            ("boxes", "voc", "mixed"),
            ("boxes and masks", "pets", "mixed"),
            ("label maps", "palette", "mixed"),
            ("neighbours", "tabs", "mixed"),
            ("reconstructions of four bands", "four_bands", "four_bands"),
        )
    ),
)
WEIGHTS = (
    _weights("timm's Swin-T, a file: k-NN", "timm_swin.pth"),
    _weights("timm's ViT-Ti, safetensors: k-NN", "timm_safetensors.safetensors"),
    _weights("torchvision's ResNet: k-NN", "torchvision_resnet.pth"),
    _weights("ResNet of a DataParallel script: k-NN", "data_parallel.pth.tar"),
    _weights("half precision and torch.compile: k-NN", "half_precision.pth"),
    _weights("a moving average of timm's script: k-NN", "moving_average.pth.tar"),
    _weights("MAE's pretraining: k-NN", "mae.pth"),
    _weights("MoCo v3's pretraining: k-NN", "moco_v3.pth.tar"),
    _weights("DINOv2 with registers (patches of 14): k-NN", "dinov2.pth", "--image-size 56"),
    _weights("solo-learn: k-NN", "solo_learn.ckpt"),
    _weights("lightly's Sequential ResNet: k-NN", "lightly.ckpt"),
    _weights("transformers, Swin after SimMIM: k-NN", "hf_swin_simmim"),
    _weights("transformers, Swin V2: k-NN", "hf_swinv2"),
    _weights("transformers, ViT: k-NN", "hf_vit"),
    _weights("transformers, BEiT: k-NN", "hf_beit"),
    _weights("transformers, ConvNeXt: k-NN", "hf_convnext"),
    _weights("transformers, ResNet: k-NN", "hf_resnet"),
    Task(
        name="weights from the web: k-NN",
        commands=(_knn("{address}/torchvision_resnet.pth", "web"),),
        says="knn/top1",
    ),
    Task(
        name="own weights to transformers",
        commands=(
            "simmim-bench convert '{work}/photos/export/backbone.pth' "
            "'{work}/to transformers' --to transformers",
        ),
        says="transformers",
    ),
    Task(
        name="give it a checkpoint, get the table",
        commands=(
            "simmim-bench evaluate '{weights}/hf_swin_simmim' --data classes "
            "--tasks knn,linear --against scratch --out '{work}/evaluated' --kind smoke",
        ),
        says="scratch",
    ),
)
TASKS = (*DATA, *USE, *WEIGHTS)
