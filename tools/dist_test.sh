#!/usr/bin/env bash
# Evaluate with several processes; the metrics do not depend on their number.
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of simmim-bench test]
# Environment: as tools/dist_train.sh.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of simmim-bench test]" >&2
    exit 2
fi
source "$(dirname "$0")/launch.sh"
CONFIG=$1 CHECKPOINT=$2 GPUS=$3
launch_torchrun "$GPUS" test "$CONFIG" "$CHECKPOINT" "${@:4}"
