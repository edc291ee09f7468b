# Logs, checkpoints and processes of full-size recipes that count epochs.
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2, save_last=True),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
env_cfg = dict(
    cudnn_benchmark=True,  # SimMIM, main_simmim.py#L215, main_finetune.py#L319
    tf32=True,  # what is float32 under mixed precision; PyTorch's default when SimMIM appeared
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
visualizer = dict(type="mmengine.Visualizer", vis_backends=[dict(type="mmengine.LocalVisBackend")])
log_processor = dict(window_size=50)
log_level = "INFO"
randomness = dict(seed=0)
