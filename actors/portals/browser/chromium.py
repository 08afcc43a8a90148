"""Finds the Chromium executable on this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Playwright installs chromium-1208/chrome-linux64/chrome and chromium_headless_shell-1208/*/...
_PROGRAMS = ("chrome", "headless_shell", "chrome-headless-shell")


def find_chromium(configured: str = "", *, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the path of the Chromium to use, or None if none is found.

    A configured path or program name is the only candidate when given. Otherwise the usual names on `PATH`
    come first, then the newest Chromium that `playwright install` has downloaded. It is not started.
    """
    environ = os.environ if environ is None else environ
    if configured:
        return _program(configured, environ)
    on_path = (_program(name, environ) for name in _NAMES)
    return next((path for path in (*on_path, *_downloads(environ)) if path is not None), None)


def _program(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(str(Path(name).expanduser()) if "/" in name else name, path=environ.get("PATH", ""))
    return Path(found).absolute() if found else None


def _downloads(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield Playwright's downloads, newest first, a full Chromium before a headless shell."""
    for folder in sorted(_download_folder(environ).glob("chromium*-*"), key=_age):
        for program in _PROGRAMS:
            yield from (path for path in folder.glob(f"*linux*/{program}") if os.access(path, os.X_OK))


def _download_folder(environ: Mapping[str, str]) -> Path:
    # "0" makes Playwright keep browsers inside its own package, in a layout private to it.
    named = environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if named not in {"", "0"}:
        return Path(named).expanduser()
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/nonexistent"), ".cache")
    return Path(cache) / "ms-playwright"


def _age(folder: Path) -> tuple[int, bool]:
    revision = re.search(r"-(\d+)$", folder.name)
    return (-int(revision[1]) if revision else 0, "shell" in folder.name)
