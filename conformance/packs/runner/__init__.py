"""What runs a pack on its card: Python, numpy, the driver, and PyTorch where it is there. Nothing here imports uol.

    command.py, supervisor.py, worker.py    the command; processes that run the cases, one after the other
    contents.py                             the pack: read, and held against its hashes
    case_run.py, buffers.py, drawn.py       a case: run, in memory of its own, on inputs that are drawn on the card
    timing.py, torch_times.py, turns.py     its time, and PyTorch's beside it, by turns
    judge.py, numbers.py                    the verdict
    report.py, seals.py                     the record, and what is printed
"""
