"""``python -m tests.bench NAME [--json]``: figures, measured against peers in the same run.

Each benchmark is a module of this package with a ``measure`` function, named in ``BENCHMARKS``.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable

import structlog

from .figures import Figure, as_table

BENCHMARKS = ("actors", "queue", "database", "sessions", "web")


def main() -> int:
    """Run one benchmark; the exit code is 0 whether or not its goals are met, as machines differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("name", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    options = parser.parse_args()
    measure: Callable[[], list[Figure]] = importlib.import_module(f".{options.name}", __package__).measure
    # Servers that a benchmark starts say much that is not a figure.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    figures = measure()
    if options.json:
        sys.stdout.writelines(figure.line() + "\n" for figure in figures)
    else:
        sys.stdout.write(as_table(options.name, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
