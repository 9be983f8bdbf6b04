"""Reading what a request brings: bounded in size and time, and with mistakes that say what to do."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiDict, MultiMapping

from core.errors import UserError

MAX_JSON_DEPTH = 32


async def read_body(request: web.Request, timeout_seconds: float) -> bytes:
    """Return the body.

    Raises: web.HTTPRequestTimeout, web.HTTPRequestEntityTooLarge.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await request.read()
    except TimeoutError:
        request.protocol.force_close()
        raise web.HTTPRequestTimeout from None


async def read_large_body(request: web.Request, timeout_seconds: float, max_bytes: int) -> bytes:
    """Return a body that may be larger than those of the rest of the API.

    Raises: web.HTTPRequestTimeout, web.HTTPRequestEntityTooLarge.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read_at_most(request, max_bytes)
    except TimeoutError:
        request.protocol.force_close()
        raise web.HTTPRequestTimeout from None


async def _read_at_most(request: web.Request, max_bytes: int) -> bytes:
    declared = request.content_length or 0
    if declared > max_bytes:
        raise web.HTTPRequestEntityTooLarge(max_bytes, declared)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise web.HTTPRequestEntityTooLarge(max_bytes, len(body))
    return bytes(body)


async def read_object(request: web.Request, timeout_seconds: float) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises: UserError: it is none.
    """
    body = await read_body(request, timeout_seconds)
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is no JSON: {error}; send a JSON object") from error
    if not isinstance(document, dict):
        raise UserError(f"the body is a JSON {type(document).__name__}; send an object")
    if _depth(document) > MAX_JSON_DEPTH:
        raise UserError(f"the body is nested deeper than {MAX_JSON_DEPTH} levels; send a flatter one")
    return document


async def read_fields(request: web.Request, timeout_seconds: float) -> MultiMapping[str]:
    """Return query parameters, and for POST those of a form or a JSON object in the body as well, which come first."""
    if request.method != "POST":
        return request.query
    fields: MultiDict[str] = MultiDict()
    if request.content_type == "application/json":
        for key, value in (await read_object(request, timeout_seconds)).items():
            fields.extend((key, str(one)) for one in (value if isinstance(value, list) else [value]))
    else:
        await read_body(request, timeout_seconds)
        form = await request.post()
        fields.extend((key, value) for key, value in form.items() if isinstance(value, str))
    fields.extend(request.query)
    return fields


def check_keys(document: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse keys that nobody reads: they are mistakes.

    Raises: UserError.
    """
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise UserError(f"unknown key {unknown[0]!r}; known here: {', '.join(known)}")


def text_field(document: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text of a JSON object.

    Raises: UserError: it is absent while there is no default, or no text.
    """
    value = document.get(name, default)
    if value is None:
        raise UserError(f"{name!r} is required; add it")
    if not isinstance(value, str):
        raise UserError(f"{name!r} is {value!r}; give a text")
    return value


def whole_number(text: str | None, name: str, *, default: int, most: int) -> int:
    """Return a query parameter that counts something.

    Raises: UserError: it is no number from 0 to `most`.
    """
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) > most:
        raise UserError(f"{name!r} is {text[:40]!r}; give a whole number from 0 to {most}")
    return int(text)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_JSON_DEPTH:
        depth += 1
        level = [item for outer in level for item in _children(outer)]
    return depth


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def finite(number: float) -> bool:
    """Tell whether a number can be a time."""
    return math.isfinite(number)
