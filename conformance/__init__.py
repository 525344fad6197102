"""Does a target compute what the text means? Contracts, comparators, checks in the twin, mutants, and the model paths.

    contracts.toml, contracts.py     what accuracy is owed, as data; dual.py for whole networks
    interval.py, functions.py,
    reductions.py, contraction.py,
    frame.py, enclosure.py           the values that a contract admits for a program on given inputs
    comparison.py, storage.py        the comparators, and what buffers hold
    twin_check.py, verdict.py,
    arrangement.py, recentring.py    one operator on one target, in some order of memory
    sweep.py, support.py             all cases of all operators; the matrix of what is supported
    default_workloads.py             sizes for operators that the library does not know
    mutate.py, control_faults.py,
    value_faults.py, fault_places.py,
    idle_fields.py                   faults put into emitted kernels
    golden.py, mutation.py,
    mutation_run.py,
    equivalent_mutants.toml          which of them the twin lets pass, and why they compute the same
    paths/, bench_resnet50.py        whole models
    opinfo.py, opinfo.toml,
    opinfo_forms.py, opinfo_layers.py  PyTorch's own samples, forward and gradient
    autograd/, derived_gradients.py,
    library_gradients.py             gradients of the library against PyTorch's autograd on the texts
    random_texts/, gradient_trial.py,
    kernel_gradients.py,
    shrinking.py, gradient_soak.py   the same of random texts; the smallest text that fails
    opcheck.py, call_overhead.py     PyTorch's check of custom operators; what a call costs
"""
