"""Runs a command of the library's where PyTorch has the test card.

PYTHONPATH=tests python -m testcard uol.conformance.opinfo --device testcard:1 [its other options]
PYTHONPATH=tests python -m testcard uol.conformance.opcheck --device testcard:1
"""

import runpy
import sys

from testcard import backend

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("which command: python -m testcard MODULE [options]")
    backend.register()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
