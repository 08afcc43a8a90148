"""`python -m web` is `botvisor`."""

from __future__ import annotations

from .cli import main

main()
