"""`python -m uol.conformance.bench_resnet50`: ResNet-50 on this machine beside PyTorch, f32, batch 1, all cores.

Runs uol, PyTorch eager (row-major) and PyTorch eager (channels-last) in turn, in one process, and prints medians. Exit
status 1 where uol is slower than the faster of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from statistics import median

from uol.conformance.paths.timing import low_decile


def main() -> int:
    """Parses arguments, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m uol.conformance.bench_resnet50", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="rounds of all three in turn (default 30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    samples = measure(max(3, options.rounds))
    medians = {name: median(us) / 1e3 for name, us in samples.items()}
    deciles = {name: low_decile(us) / 1e3 for name, us in samples.items()}
    ours, best = medians["uol"], min(ms for name, ms in medians.items() if name != "uol")
    if options.json:
        print(json.dumps({"median_ms": medians, "low_decile_ms": deciles, "ratio": best / ours, "load": os.getloadavg()[0]}))
    else:
        print(f"{'':32} {'median':>8} {'low decile':>11}")
        for name in samples:
            print(f"{name:32} {medians[name]:8.1f} {deciles[name]:11.1f}  ms")
        print(f"{'faster PyTorch / uol':32} {best / ours:8.2f}   (load of the machine {os.getloadavg()[0]:.1f})")
    return 0 if ours <= best else 1


def measure(rounds: int) -> dict[str, list[float]]:
    """Microseconds of each, round by round. PyTorch uses as many threads as this process has cores, as uol does."""
    import torch

    from uol.conformance.paths.cpu_network import build_network
    from uol.conformance.paths.record import PathOptions
    from uol.conformance.paths.reference_network import eager_network
    from uol.conformance.paths.resnet50 import Subject, local_target
    from uol.conformance.paths.timing import samples_us

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    subject = Subject.of(PathOptions())
    network = build_network(subject.placed, subject.state, subject.image, local_target())
    actions = {
        "uol": network.run,
        "PyTorch eager": eager_network(subject.network, subject.image, channels_last=False),
        "PyTorch eager, channels-last": eager_network(subject.network, subject.image, channels_last=True),
    }
    return samples_us(actions, rounds=rounds, warm_up=3)


if __name__ == "__main__":
    sys.exit(main())
