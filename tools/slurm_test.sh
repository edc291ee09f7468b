#!/usr/bin/env bash
# Evaluate through Slurm.
#   bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of simmim-bench test]
# Environment: as tools/slurm_train.sh.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of simmim-bench test]" >&2
    exit 2
fi
source "$(dirname "$0")/launch.sh"
launch_srun "$1" "$2" test "${@:3}"
