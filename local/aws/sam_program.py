"""`sam`, with a mend. Run by the Python of sam's own environment.

After each invocation sam waits for the emulator's REPORT line, for a second at most. It looks for the line at the
beginning of what the container has written since, or one line later. A fast function's START, END and REPORT often
arrive together: then sam does not see the line and every such call takes a second more.
"""

from __future__ import annotations

import sys
from threading import Event
from typing import IO

from samcli.cli.main import cli  # type: ignore[import-not-found]
from samcli.local.docker.container import Container  # type: ignore[import-not-found]

write = Container._handle_data_writing


def write_and_notice(stream: IO[str], output: bytes, reported: Event | None) -> None:
    """Notices the line wherever it is."""
    write(stream, output, reported)
    if reported is not None and b"REPORT RequestId:" in output:
        reported.set()


if __name__ == "__main__":
    Container._handle_data_writing = staticmethod(write_and_notice)
    sys.exit(cli(prog_name="sam"))
