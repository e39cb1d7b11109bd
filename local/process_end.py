"""How the process of a command ends: by its exit code, whatever a library's threads are doing.

obstore's threads finish a call after its result was taken. If the interpreter is being torn down by then, Python
before 3.14 ends such a thread in its middle, and Rust aborts the process (PyO3 issue 6084, pyo3-async-runtimes
issue 40): of 200 `assay audit verify s3://...`, 3 printed the whole proof and died of SIGABRT. So nothing is torn down.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import NoReturn

_FLUSH_FAILED = 120
"""What Python itself answers then."""


def run_to_end(command: Callable[[], object]) -> None:
    """Runs the command, then all that is registered to be run at exit, flushes, and ends the process.

    To be called once, by a process's main module.
    """
    code = 1
    atexit.register(lambda: _end(code))  # the first to be registered is the last to be run
    try:
        command()
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        raise


def _end(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads any more, or it was closed
        code = code or _FLUSH_FAILED
    os._exit(code)
