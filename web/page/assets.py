"""The page's files, served from memory: read once, small, and nothing else of the disk can be reached."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import NotFound

FOLDER: Final = Path(__file__).parent / "static"

# What the system's own tables say of these differs, and a module script must be of a JavaScript type.
_TYPES: Final = {".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is sent."""

    content: bytes
    content_type: str
    etag: str


class Assets:
    """The files of a folder by name: all of them, or ``only`` some."""

    def __init__(self, folder: Path = FOLDER, *, only: Collection[str] | None = None) -> None:
        self._assets = {
            path.name: _asset(path)
            for path in sorted(folder.iterdir())
            if path.is_file() and (only is None or path.name in only)
        }

    def blueprint(self) -> Blueprint:
        """The route under ``/static``."""
        blueprint = Blueprint("assets", __name__)

        @blueprint.get("/static/<name>")
        async def asset(name: str) -> Response:
            return self.answer(name)

        return blueprint

    def answer(self, name: str, status: int = 200) -> Response:
        """The file as an answer, or that the client has it already.

        Raises:
            NotFound: there is no such file.
        """
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound
        # Asked for each time, so that a page and its scripts are always of one version.
        headers = {"ETag": f'"{asset.etag}"', "Cache-Control": "no-cache"}
        if status == 200 and request.if_none_match.contains(asset.etag):
            return Response(b"", status=304, headers=headers)
        return Response(asset.content, status=status, headers=headers, content_type=asset.content_type)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(
        content=content,
        content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        etag=hashlib.sha256(content).hexdigest()[:32],
    )
