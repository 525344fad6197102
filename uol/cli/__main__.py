"""`python -m uol.cli` is `uol`."""

from uol.cli.application import main

main()
