"""From a bound operator to its kernels.

request.py           what is asked for, and what the answer depends on: the cache key
pipeline.py          text and binary, through the cache; every stage in a folder
recompile.py         kernels of one size, and of any size
foreach_launch.py    one launch over many runs
explain.py, schedule_table.py    what happened, and what could have, for people
"""
