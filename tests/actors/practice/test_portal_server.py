from __future__ import annotations

from pathlib import Path

from actors.practice.portal_server import PracticePortal
from actors.settings import load_settings
from web.practice.settings import read_settings

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


async def test_the_portal_receives_all_settings_on_stdin(tmp_path: Path) -> None:
    """Including the secrets, on one line."""
    overrides = ["practice.seed=7", "practice.password=hunter2", f"practice.totp_secret={SECRET}"]
    settings = load_settings(None, {}, overrides).practice
    command = await PracticePortal(settings, ("practice",), tmp_path / "portal.sqlite").prepare()
    read = read_settings(command.stdin)
    assert (read.seed, read.password, read.totp_secret) == (7, "hunter2", SECRET)
    assert read.state_file == str(tmp_path / "portal.sqlite")
    assert command.stdin.count(b"\n") == 1
