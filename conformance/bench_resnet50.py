"""`python -m uol.conformance.bench_resnet50`: ResNet-50 on this machine beside PyTorch, f32, batch 1, all cores.

Runs uol, PyTorch eager (row-major) and PyTorch eager (channels-last) in turn, in one process, and prints medians. Exit
status 1 where uol is slower than the faster of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys


def main() -> int:
    """Parses arguments, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.bench_resnet50", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="rounds of all three in turn (default 30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    times = measure(max(3, options.rounds))
    ours, best = times["uol"], min(us for name, us in times.items() if name != "uol")
    if options.json:
        print(json.dumps({"milliseconds": {name: us / 1e3 for name, us in times.items()}, "ratio": best / ours}))
    else:
        for name, us in times.items():
            print(f"{name:32} {us / 1e3:8.1f} ms")
        print(f"{'faster PyTorch / uol':32} {best / ours:8.2f}")
    return 0 if ours <= best else 1


def measure(rounds: int) -> dict[str, float]:
    """Median microseconds of each. PyTorch uses as many threads as there are cores for this process, as uol does."""
    import torch

    from uol.conformance.paths.cpu_network import build_network
    from uol.conformance.paths.record import PathOptions
    from uol.conformance.paths.reference_network import eager_network
    from uol.conformance.paths.resnet50 import Subject, local_target
    from uol.conformance.paths.timing import interleaved_us

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    subject = Subject.of(PathOptions())
    network = build_network(subject.placed, subject.state, subject.image, local_target())
    actions = {
        "uol": network.run,
        "PyTorch eager": eager_network(subject.network, subject.image, channels_last=False),
        "PyTorch eager, channels-last": eager_network(subject.network, subject.image, channels_last=True),
    }
    return interleaved_us(actions, rounds=rounds, warm_up=3)


if __name__ == "__main__":
    sys.exit(main())
