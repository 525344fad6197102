"""Kernels in this process.

objectcode.py, entry.py    assembler text, a library, one C function
library.py, loading.py, marshal.py, address.py, workspace.py    a call
thread_pool.py, foreach.py    threads; many positions in one call
"""
