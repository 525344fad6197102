"""A mixture of experts: a router, experts with gated units, and a small language model with such layers.

layer.py      the layer, of `uol`'s operators alone
module.py     the language model around it
twin.py       the same in plain PyTorch: parameters of the same names
forms.py      the layer in PyTorch's three ways: a loop over the experts, padded batches, grouped products
expert_parallel.py    the layer over ranks of `torch.distributed`, some of the experts on each
exchange.py   what ranks give each other, with gradients; a rank that is lost
ranks.py      the layer over ranks beside itself on one, under `torchrun`
sizes.py      sizes of the layer: real, for checks, and narrow
data.py       the text of Python's own help, in batches
task.py       what `uol train` asks
"""
