#!/usr/bin/env bash
# Train through Slurm.
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of simmim-bench train]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS, PYTHON (python).
# SRUN_ARGS="--time=24:00:00 --signal=USR1@600" asks for a checkpoint ten minutes before the limit.
# GPUS_PER_NODE=0 asks for no GPU: GPUS processes run on CPUs (gloo).
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of simmim-bench train]" >&2
    exit 2
fi
source "$(dirname "$0")/launch.sh"
launch_srun "$1" "$2" train "${@:3}"
