#!/usr/bin/env bash
# Train with several processes on one machine or, with NNODES, on several.
#   bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Environment: NNODES (1), NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500), PYTHON (python).
# Without a GPU, GPUS processes run on the CPU (gloo).
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
source "$(dirname "$0")/launch.sh"
CONFIG=$1 GPUS=$2
launch_torchrun "$GPUS" train.py "$CONFIG" "${@:3}"
