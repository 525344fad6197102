"""Do forked children compute what they should, and come to an end?

    __main__.py       the command: run after run, each in a process group of its own that is ended when it hangs
    first_step.py     one run: a DataLoader's workers start while another thread compiles, on a cold cache
"""
