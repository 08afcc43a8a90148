"""Where the configuration that comes with botvisor is."""

from __future__ import annotations

from pathlib import Path


def config_dir() -> Path:
    """Return the folder with default.toml and the portal definitions, in a checkout or an installed wheel."""
    actors = Path(__file__).resolve().parents[1]
    installed = actors / "_config"
    return installed if (installed / "default.toml").is_file() else actors.parent / "config"


def portal_file(portal: str) -> Path:
    """Return the file of the portal definition that ``sessions.portal`` names; it need not exist."""
    if portal.endswith(".toml"):
        return Path(portal)
    return config_dir() / "portals" / f"{portal}.toml"
