"""Kernels of this machine beside PyTorch eager, in turns, in one process: `uol bench`.

cpu.toml            the workloads of a suite, which a record is comparable by: family by family
suite.py            the rows of such a file
operator_row.py, optimiser_row.py, network_row.py, model_row.py, path_row.py    what a row calls: uol and PyTorch, on the
                    same tensors
eager.py            PyTorch's calls, where an operator's reference is not what one would write
turns.py            A B A B
work.py, peaks.py   what a row has to do at least, and what the machine can do
peak_memory.py      the peak resident memory of a model's row, each side in a process of its own
measurement.py      a row's times, their ratio, geometric means
processes.py        several processes, of which the middle one counts
record.py           what is kept of a run (bench.schema.json), and how a run stands beside it
"""
