"""The console's files, read once and served from memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from daemon.api.answer import accepted_coding

FOLDER = Path(__file__).resolve().parent.parent / "console"

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `tag` changes with its content."""

    body: bytes
    content_type: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Return the console's files by name."""
    return {path.name: _asset(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


def asset_answer(request: web.Request, name: str) -> web.Response:
    """Return a file of the console, or 304 when the client has it already.

    Raises: web.HTTPNotFound.
    """
    asset = assets().get(name)
    if asset is None:
        raise web.HTTPNotFound
    headers = {"Content-Type": asset.content_type, "ETag": asset.tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == asset.tag:
        return web.Response(status=304, headers=headers)
    response = web.Response(body=asset.body, headers=headers)
    if accepted_coding(request) == "gzip":
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
