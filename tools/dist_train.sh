#!/usr/bin/env bash
# Train with several processes on one machine or, with NNODES, on several.
#   bash tools/dist_train.sh CONFIG GPUS [arguments of simmim-bench train]
# Environment: PYTHON (python), PORT (a free one); for several machines NNODES and NODE_RANK, and
# the same MASTER_ADDR and PORT (29500) on all of them.
# SIMMIM_BENCH_SECONDS_TO_SAVE (300) is the time for a checkpoint after SIGTERM or SIGUSR1.
# Without a GPU, GPUS processes run on the CPU (gloo).
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash tools/dist_train.sh CONFIG GPUS [arguments of simmim-bench train]" >&2
    exit 2
fi
source "$(dirname "$0")/launch.sh"
CONFIG=$1 GPUS=$2
launch_torchrun "$GPUS" train "$CONFIG" "${@:3}"
