"""`python -m uol.conformance.random_kernels`."""

from uol.conformance.command import run_command
from uol.conformance.random_kernels.command import main

run_command(main)
