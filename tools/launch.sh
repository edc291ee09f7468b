# Sourced by dist_*.sh and slurm_*.sh: start a command of simmim-bench with several processes.
# simmim_bench/launch.py builds the command.
PYTHON=${PYTHON:-python}

# launch_torchrun GPUS COMMAND ARGUMENTS...
launch_torchrun() {
    exec "$PYTHON" -P -m simmim_bench.launch torchrun "$@"
}

# launch_srun PARTITION JOB_NAME COMMAND ARGUMENTS...
launch_srun() {
    exec "$PYTHON" -P -m simmim_bench.launch srun "$@"
}
