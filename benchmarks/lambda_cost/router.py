"""Lambda's Invoke API in front of emulated functions, so that one container calls another as it does on AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from benchmarks.lambda_cost.containers import Container


@contextmanager
def invoke_api(functions: Mapping[str, Container], host: str, port: int) -> Iterator[None]:
    """Answers Invoke for these function names."""

    class Invoke(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            name = unquote(self.path.split("/")[3])
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            answer, _ = functions[name].invoke(payload)
            self.send_response(200)
            if _failed(answer):
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((host, port), Invoke)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _failed(answer: bytes) -> bool:
    document = json.loads(answer)
    return isinstance(document, dict) and "errorType" in document
