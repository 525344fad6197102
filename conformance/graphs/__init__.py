"""`torch.compile(model, backend="uol")` beside eager PyTorch and Inductor.

models            what is measured, written plainly
bench             the command: `python -m uol.conformance.graphs.bench`
check             another: the same models in eager mode, each call held to its bound
second_process    `python -m uol.conformance.graphs.second_process`: what a second process still compiles of them
"""
