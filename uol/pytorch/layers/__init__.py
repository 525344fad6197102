"""PyTorch's layers with `uol`'s operators.

modules.py, elementwise_layers.py, image_layers.py, attention_layers.py    the layers
layer_support.py, option_variants.py, window_options.py    what they take
replace.py, freeze.py    existing modules
"""
