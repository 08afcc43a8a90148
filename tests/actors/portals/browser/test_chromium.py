"""Search for the Chromium executable."""

from __future__ import annotations

from pathlib import Path

from actors.portals.browser.chromium import find_chromium


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_configured_path_is_the_only_one_that_counts(tmp_path: Path) -> None:
    """If it does not exist, nothing else is used."""
    configured = _program(tmp_path / "my-chromium")
    environ = {"PATH": str(_program(tmp_path / "bin" / "chromium").parent)}
    assert find_chromium(str(configured), environ=environ) == configured
    assert find_chromium(str(tmp_path / "missing"), environ=environ) is None


def test_a_configured_name_is_looked_up_on_path(tmp_path: Path) -> None:
    """The settings may name a program instead of a path."""
    brave = _program(tmp_path / "brave")
    assert find_chromium("brave", environ={"PATH": str(tmp_path)}) == brave


def test_a_file_that_cannot_run_is_no_chromium(tmp_path: Path) -> None:
    """A file that is not executable is ignored."""
    plain = tmp_path / "chromium"
    plain.write_text("")
    plain.chmod(0o644)
    assert find_chromium(str(plain), environ={"PATH": ""}) is None


def test_path_names_come_in_order_of_preference(tmp_path: Path) -> None:
    """Chromium is preferred over Chrome, whatever their order on PATH."""
    _program(tmp_path / "first" / "google-chrome")
    chromium = _program(tmp_path / "second" / "chromium")
    path = f"{tmp_path / 'first'}:{tmp_path / 'second'}"
    assert find_chromium(environ={"PATH": path}) == chromium


def test_the_newest_whole_download_is_taken_where_path_has_none(tmp_path: Path) -> None:
    """Revisions are compared as numbers, and a whole Chromium beats a headless shell of the same age."""
    for folder, program in (
        ("chromium-999/chrome-linux", "chrome"),
        ("chromium_headless_shell-1208/chrome-linux", "headless_shell"),
        ("chromium-1208/chrome-linux64", "chrome"),
    ):
        newest = _program(tmp_path / "ms-playwright" / folder / program)
    assert find_chromium(environ={"PATH": "", "XDG_CACHE_HOME": str(tmp_path)}) == newest
    assert (
        find_chromium(environ={"PATH": "", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "ms-playwright")})
        == newest
    )


def test_none_is_found_on_a_bare_machine(tmp_path: Path) -> None:
    """The result is None."""
    assert find_chromium(environ={"PATH": str(tmp_path), "HOME": str(tmp_path)}) is None
