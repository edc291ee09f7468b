# CPU:  docker build --tag simmim_bench .
# CUDA: docker build --tag simmim_bench:cuda --build-arg BASE=nvidia/cuda:13.0.2-base-ubuntu24.04 \
#           --build-arg TORCH_INDEX=https://pypi.org/simple .
# Run:  docker run --rm --shm-size 8g --volume "$PWD:/work" simmim_bench doctor
#       (CUDA: also --gpus all; data: --volume /path/to/data:/data)
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
# PyTorch's own index has smaller wheels for the CPU; those of PyPI bring CUDA's libraries along.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# Python, where the base has none; git states commits in records.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && { command -v python3 || apt-get install --yes --no-install-recommends python3 python3-venv; } \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    SIMMIM_BENCH_DATA=/data \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

COPY constraints.txt /src/
RUN python3 -m venv /opt/venv \
    && pip install --constraint /src/constraints.txt --index-url "$TORCH_INDEX" torch torchvision

COPY . /src
# Two packages own cv2; of both only the headless one needs no graphics libraries.
RUN pip install --constraint /src/constraints.txt "/src[onedl,slurm]" \
    && pip install --force-reinstall --no-deps --constraint /src/constraints.txt opencv-python-headless

RUN useradd --create-home --uid 10001 bench && mkdir /work /data && chown bench /work /data
USER 10001
WORKDIR /work
ENTRYPOINT ["simmim-bench"]
CMD ["--help"]
