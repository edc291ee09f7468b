# Sourced by dist_*.sh and slurm_*.sh: start TOOL (a file in this folder) with several processes.
# simmim_bench/launch.py builds the command.
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}

# launch_torchrun GPUS TOOL ARGUMENTS...
launch_torchrun() {
    exec "$PYTHON" -P -m simmim_bench.launch torchrun "$1" "$TOOLS/$2" "${@:3}"
}

# launch_srun PARTITION JOB_NAME TOOL ARGUMENTS...
launch_srun() {
    exec "$PYTHON" -P -m simmim_bench.launch srun "$1" "$2" "$TOOLS/$3" "${@:4}"
}
