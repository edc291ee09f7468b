# Logs, checkpoints and processes of full-size recipes that count iterations.
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="CheckpointHook", by_epoch=False, interval=16000, max_keep_ckpts=2, save_last=True
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
env_cfg = dict(
    cudnn_benchmark=True,  # mmsegmentation 1.2, configs/_base_/default_runtime.py
    tf32=True,  # PyTorch's default when the originals appeared
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
visualizer = dict(type="mmengine.Visualizer", vis_backends=[dict(type="mmengine.LocalVisBackend")])
log_processor = dict(window_size=50, by_epoch=False)
log_level = "INFO"
randomness = dict(seed=0)
