# One epoch that changes no weight: a k-NN classifier reads the labelled images.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.0))
param_scheduler = []
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
custom_hooks = [dict(type="simmim_bench.ReserveMemoryHook")]
