# Pixels are normalised in a sliding window, as for Swin V2
# (https://github.com/microsoft/Swin-Transformer, config.py, MODEL.SIMMIM.NORM_TARGET).
_base_ = ["../simmim/swin-b_8xb128.py"]
pretraining = dict(method="simmim-target-window-normalised")

model = dict(target=dict(type="simmim_bench.WindowNormalisedRGB", window_size=47))
