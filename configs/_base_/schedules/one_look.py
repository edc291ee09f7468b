# One epoch that changes no weight: it shows the labelled images to a k-NN classifier.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.0))
param_scheduler = []
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
custom_hooks = [dict(type="simmim_bench.ReserveMemoryHook")]
