"""Random texts, compiled and run on every target, and judged.

    command.py      `python -m uol.conformance.random_kernels`
    trials.py       a text as cases: operator and gradient, each target, kernels of its sizes and of any
    independent.py  what PyTorch's autograd of the text says of the results and of the gradient
    judging.py      what came of a run: right, wrong, raised, refused, or where the language says nothing
    batches.py      many texts at once: compiled together, run, judged
    processes.py    several processes, one of which may die of a kernel
    minimising.py   the smallest text that still fails
    shown.py        what a command prints of them
"""
