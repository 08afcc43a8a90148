"""``python -m tests.bench NAME [--json]``: figures, measured against peers in the same run.

Each benchmark is a module of this package with a ``measure`` function, named in ``BENCHMARKS``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable

from .figures import Report

BENCHMARKS = ("actors",)


def main() -> int:
    """Run one benchmark; the exit code is 0 whether or not its goals are met, as machines differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("name", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    measure: Callable[[], Report] = importlib.import_module(f".{options.name}", __package__).measure
    report = measure()
    sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n" if options.json else report.as_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
