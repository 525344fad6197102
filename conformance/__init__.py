"""Does a target compute what the text means? Contracts, comparators, checks in the twin, mutants, and the model paths.

    accuracy/         what accuracy is owed (contracts.toml), the values that a contract admits, the comparators
    cases/            one operator on one target, checked; which cases there are; many of them by several processes
    gradients/, autograd/, random_texts/    derived gradients against PyTorch's autograd on the texts
    mutation/         faults put into emitted kernels (equivalent_mutants.toml: those that compute the same)
    paths/, report/   whole models; what is written of a run
    bench/            kernels of this machine beside PyTorch eager

Beside the rooms lie the commands, `python -m uol.conformance.<name>`: README.md says what each shows.
"""
