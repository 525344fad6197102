"""ResNet-50: inference on a photograph, layer by layer on every target; training, as a PyTorch module.

inference   the check of the path: `network` (its layers), `cpu_network`, `layer_checks`, `twin_layers`, `timing`; the
            is `photograph`'s, the weights are seeded or from a file (`weights`), PyTorch's side is `reference_network`
"""
