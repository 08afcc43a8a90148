from __future__ import annotations

import os
from pathlib import Path

from actors.services.identity import Identity, make_private_directory, unprivileged

ROOT = os.geteuid() == 0


def make_program(folder: Path, mode: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "program"
    program.touch()
    program.chmod(mode)
    return program


def test_an_identity_without_a_capability_only_changes_the_user() -> None:
    """Supplementary groups are cleared."""
    assert Identity(uid=7, gid=8).options == ("--reuid", "7", "--regid", "8", "--clear-groups")


def test_a_capability_is_kept_after_the_change_of_user() -> None:
    """An ambient capability survives exec; the securebit makes access(2) honour it."""
    options = Identity(uid=7, gid=8, capability="dac_override").options
    assert options[-3:] == (
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    )


def test_only_root_switches_users(tmp_path: Path) -> None:
    """Servers never run as root."""
    identity = unprivileged(tmp_path, make_program(tmp_path, 0o755))
    if ROOT:
        assert identity is not None
        assert identity.uid != 0
    else:
        assert identity is None


def test_a_capability_is_kept_only_if_needed(tmp_path: Path) -> None:
    """An accessible path needs none; an inaccessible folder or program needs the weakest that suffices."""
    open_to_all = unprivileged(Path("/usr"), Path("/bin/sh"))
    tmp_path.chmod(0o700)
    (tmp_path / "home").mkdir()
    closed_folder = unprivileged(tmp_path / "home", Path("/bin/sh"))
    closed_program = unprivileged(Path("/usr"), make_program(tmp_path, 0o700))
    if ROOT:
        assert open_to_all is not None
        assert open_to_all.capability is None
        assert closed_folder is not None
        assert closed_folder.capability in {"dac_read_search", "dac_override"}
        assert closed_program is not None
        assert closed_program.capability == "dac_override"
    else:
        assert open_to_all is closed_folder is closed_program is None


def test_the_owner_of_the_folder_is_the_user(tmp_path: Path) -> None:
    """A data directory of an ordinary user keeps its owner when root starts botvisor on it."""
    home = tmp_path / "home"
    make_private_directory(home, Identity(uid=12345, gid=23456) if ROOT else None)
    identity = unprivileged(home, make_program(tmp_path, 0o755))
    assert home.stat().st_mode & 0o777 == 0o700
    if ROOT:
        assert identity is not None
        assert (identity.uid, identity.gid) == (12345, 23456)
    else:
        assert home.stat().st_uid == os.geteuid()
