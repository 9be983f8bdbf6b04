"""Passing a websocket through, message by message, with the subprotocol that the backend chose."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, web
from yarl import URL

from actions.deployment.traffic.headers import to_backend, without_websocket_handshake

_GOING_AWAY = 1001
_CLOSE_SECONDS = 2.0
_CODES_NOT_TO_SEND = frozenset({1005, 1006, 1015})  # RFC 6455 section 7.4.1: never in a close frame


async def pass_through(
    request: web.BaseRequest, session: ClientSession, url: URL, *, peer: str, answer_seconds: float
) -> web.WebSocketResponse:
    """Connect the client with the backend until one of them closes.

    Raises:
        aiohttp.ClientError: the backend could not be reached or refused; nothing was answered to the client yet.
        TimeoutError: it did not answer within `answer_seconds`; the same holds.
    """
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    headers = without_websocket_handshake(to_backend(request.headers, peer=peer, scheme=request.scheme))
    async with asyncio.timeout(answer_seconds):
        backend = await session.ws_connect(
            url, protocols=offered, headers=headers, autoclose=False, autoping=False, max_msg_size=0
        )
    chosen = [backend.protocol] if backend.protocol else []
    client = web.WebSocketResponse(
        protocols=chosen, autoclose=False, autoping=False, max_msg_size=0, timeout=_CLOSE_SECONDS
    )
    try:
        await client.prepare(request)
        await _copy_both(client, backend)
    finally:
        await backend.close(code=_GOING_AWAY)
        await client.close(code=_GOING_AWAY)
    return client


_End = web.WebSocketResponse | ClientWebSocketResponse


async def _copy_both(client: web.WebSocketResponse, backend: ClientWebSocketResponse) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(client, backend))
            group.create_task(_copy(backend, client))
    except* (ConnectionError, ClientError):
        pass  # one end is gone without a word; the other is closed next


async def _copy(source: _End, target: _End) -> None:
    while True:
        message = await source.receive()
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is WSMsgType.PING:
            await target.ping(message.data)
        elif message.type is WSMsgType.PONG:
            await target.pong(message.data)
        else:
            code = source.close_code if message.type is not WSMsgType.CLOSE else message.data
            await target.close(code=_GOING_AWAY if code is None or code in _CODES_NOT_TO_SEND else code)
            return
