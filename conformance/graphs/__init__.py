"""`torch.compile(model, backend="uol")` beside eager PyTorch and Inductor.

models            what is measured, written plainly
bench             the command: `python -m uol.conformance.graphs.bench`
second_process    `python -m uol.conformance.graphs.second_process`: what a second process still compiles of them
"""
