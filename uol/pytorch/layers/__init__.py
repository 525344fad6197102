"""PyTorch's layers with `uol`'s operators.

parameter_layers.py, convolution_layers.py, channel_norm_layers.py, row_norm_layers.py, class_losses.py,
elementwise_layers.py, image_layers.py, attention_layers.py    the layers
layer_support.py, option_variants.py, window_options.py    what they take
replace.py, freeze.py    existing modules
own_forward.py, patterns.py    modules of one's own: functions that their forward calls, norms that are written out
"""
