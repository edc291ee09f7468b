# Sourced by dist_*.sh and slurm_*.sh: start TOOL (a file beside this one) with several processes.
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}

# launch_torchrun GPUS TOOL ARGUMENTS...
launch_torchrun() {
    local gpus=$1 tool=$2
    shift 2
    "$PYTHON" -m simmim_bench.launch "$gpus"
    exec "$PYTHON" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
        --nproc_per_node="$gpus" "$TOOLS/$tool" "$@" --launcher pytorch
}

# launch_srun PARTITION JOB_NAME TOOL ARGUMENTS...
launch_srun() {
    local partition=$1 name=$2 tool=$3
    shift 3
    local gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8}
    local resources=()
    if [ "$per_node" -gt 0 ]; then
        [ "$gpus" -lt "$per_node" ] && per_node=$gpus
        resources=(--gres="gpu:$per_node" --ntasks-per-node="$per_node")
    fi
    # shellcheck disable=SC2086  # SRUN_ARGS holds several words
    exec srun --partition="$partition" --job-name="$name" --ntasks="$gpus" "${resources[@]}" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "$PYTHON" -u "$TOOLS/$tool" "$@" --launcher slurm
}
