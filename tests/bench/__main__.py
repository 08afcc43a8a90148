"""``python -m tests.bench NAME [--json]``: benchmarks against peers, measured in the same run.

Each name in ``BENCHMARKS`` is a module of this package with a ``measure`` function.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable

import structlog

from .figures import Figure, as_table

BENCHMARKS = ("actors", "queue", "records", "sessions", "web")


def main() -> int:
    """Run one benchmark. The exit code is 0 whether or not its goals are met, as machines differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("name", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    measure: Callable[[], list[Figure]] = importlib.import_module(f".{options.name}", __package__).measure
    # Hide the logs of the servers that a benchmark starts.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures = measure()
    if options.json:
        sys.stdout.writelines(figure.line() + "\n" for figure in figures)
    else:
        sys.stdout.write(as_table(options.name, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
