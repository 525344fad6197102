"""What runs a pack on its card: Python, numpy, the driver, and PyTorch where it is there. Nothing here imports uol.

    command.py, supervisor.py, worker.py    the command; processes that run the cases, one after the other
    contents.py                             the pack: read, and held against its hashes
    case_run.py, timing.py, torch_times.py  a case: run, timed, and timed beside PyTorch
    judge.py, numbers.py                    the verdict
    report.py                               the record, and what is printed
"""
