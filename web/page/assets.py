"""Serves static files from memory.

All files of a folder are read once, at start; no request reads the disk, so no path can leave the folder.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NotRequired

from quart import Blueprint, Response, request
from typing_extensions import TypedDict
from werkzeug.exceptions import NotFound

FOLDER: Final = Path(__file__).parent / "static"

# MIME tables differ between systems; browsers load a module script only with a JavaScript type.
_TYPES: Final = {".js": "text/javascript", ".svg": "image/svg+xml"}


class PageQuery(TypedDict):
    """Query parameters of the page."""

    token: NotRequired[str]
    """The access token, on the first visit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Content and headers of one file."""

    content: bytes
    content_type: str
    etag: str


class Assets:
    """The files of a folder and its sub-folders by relative path: all of them, or ``only`` these paths."""

    def __init__(self, folder: Path = FOLDER, *, only: Collection[str] | None = None) -> None:
        self._assets = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and (only is None or path.relative_to(folder).as_posix() in only)
        }

    def blueprint(self) -> Blueprint:
        """Build the route under ``/static``."""
        blueprint = Blueprint("assets", __name__)

        @blueprint.get("/static/<path:name>")
        async def asset(name: str) -> Response:
            return self.answer(name)

        return blueprint

    def answer(self, name: str, status: int = 200) -> Response:
        """Answer with the file, or with 304 if the client has the current version.

        Raises:
            NotFound: no file has this name.
        """
        asset = self._assets.get(name)
        if asset is None:
            raise NotFound
        # Browsers revalidate every time, so that a page and its scripts always have the same version.
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
