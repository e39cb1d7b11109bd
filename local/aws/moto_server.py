"""AWS in one process: moto, behind a door that lets one call in at a time, for it is not safe under concurrency."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def moto() -> Wsgi:
    """Every service, one call at a time. What it holds is the process's: each sees what others have made."""
    return one_at_a_time(_with_checksums(DomainDispatcherApplication(create_backend_app)))


def _with_checksums(app: Wsgi) -> Wsgi:
    """Where Object Lock demands a checksum, S3 takes any `x-amz-checksum-` header; moto wants the one that SDKs add."""

    def named(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_X_AMZ_CHECKSUM_SHA256" in environ:
            environ.setdefault("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", "SHA256")
        return app(environ, start_response)

    return named


def one_at_a_time(app: Wsgi) -> Wsgi:
    """The same application behind a lock. Its server may have threads: a silent connection blocks no other."""
    lock = Lock()

    def serialised(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return [b"".join(app(environ, start_response))]

    return serialised


@contextmanager
def serving(app: Wsgi, host: str = "127.0.0.1") -> Iterator[str]:
    """Serves the application in this process, a thread per call; its address."""
    server = make_server(host, 0, app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        return


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    make_server(arguments.host, arguments.port, moto(), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
