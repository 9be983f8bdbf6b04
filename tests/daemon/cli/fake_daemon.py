"""A daemon that answers with prepared documents, over real HTTP."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/watchkeeper/v1/"


@dataclass
class Request:
    method: str
    path: str
    parameters: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Answer:
    document: Any
    status: int = 200


@dataclass
class FakeDaemon:
    """Answers each path with its documents in turn; the last one again and again."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def on(self, path: str, *documents: Any, status: int = 200, method: str = "GET") -> None:
        full = path if path.startswith("/") else API + path
        self.answers[f"{method} {full}"] = [Answer(document, status) for document in documents]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        queue = self.answers.get(f"{request.method} {request.path}")
        if not queue:
            return Answer({"error": {"message": f"no {request.path}", "remedy": "ask for another"}}, 404)
        return queue.pop(0) if len(queue) > 1 else queue[0]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self) -> None:
        self._serve(None)

    def _serve(self, body: Any) -> None:
        address = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(address.query).items()}
        request = Request(self.command, address.path, parameters, body, dict(self.headers))
        answer = self.server.fake.answer(request)
        content = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeDaemon) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake


class Running:
    """Serves a fake while the context lasts."""

    def __init__(self, fake: FakeDaemon) -> None:
        self._server = _Server(fake)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        fake.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
