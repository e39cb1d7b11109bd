"""AWS in one process: moto, behind a door that lets one call in at a time, for it is not safe under concurrency."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def one_at_a_time(app: Wsgi) -> Wsgi:
    """The same application behind a lock. Its server may have threads: a silent connection blocks no other."""
    lock = Lock()

    def serialised(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with lock:
            return [b"".join(app(environ, start_response))]

    return serialised


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    make_server(arguments.host, arguments.port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
