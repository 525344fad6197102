"""Built operators on a device: what the loaders of every device share.

    loaded.py            an operator as a function of buffers, on a stream, with a workspace
    memory.py            memory of a device: arrays of the host staged into it, and a workspace for each stream
    ranges.py            ranges of a profiler that carry an operator's name
    arguments.py         what a caller hands over: addresses and numbers
"""
