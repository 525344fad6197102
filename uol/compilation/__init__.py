"""From a bound operator to its kernels.

    compile_key.py, fingerprint.py    what is asked for, and what the answer depends on
    pipeline.py          text and binary, through the cache
    targets.py, recompile.py, foreach_launch.py    targets; sizes one by one; one launch over many runs
    explain.py, dump.py    what happened, for people
"""
