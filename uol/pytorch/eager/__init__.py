"""`with uol.enabled():` — an unmodified model's calls of PyTorch's functions go to `uol.ops`, in eager mode.

mode      what PyTorch asks of each call: a `TorchFunctionMode`, on a thread's stack
faces     which of PyTorch's functions, methods and operators are which name of `uol.ops`, and which arguments they pass on
bodies    PyTorch's functions that are written in Python, entered past their own question for a mode
casting   what `torch.autocast` would make of a call
copying   functions that copy what they read
writing   functions that write over their first argument
report    what was taken, and what was left, and why
"""
