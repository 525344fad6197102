"""ResNet-50: inference on a photograph, layer by layer on every target; training, as a PyTorch module of uol's operators.

Inference
    inference       the check of the path: `network` (its layers), `cpu_network`, `layer_checks`, `twin_layers`, `timing`
    photograph, weights, reference_network      what it is shown and knows; PyTorch's side

Training
    module, twin    the network, and the same in plain PyTorch; `sizes`
    data, task      digits, and what `uol train` asks
    draw            a step on drawn numbers, judged on every target
    drift           distances of the parameters from float64 over steps: a command
"""
