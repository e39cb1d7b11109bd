"""Invokes functions at `sam local start-lambda`, as AWS's own services do."""

from __future__ import annotations

import json

import httpx

from local.aws.errors import InvokeError


class LambdaApi:
    """Lambda's Invoke at an endpoint. Safe to use from several threads."""

    def __init__(self, endpoint: str) -> None:
        self._client = httpx.Client(base_url=endpoint, trust_env=False)

    def invoke(self, function: str, payload: bytes | str, timeout_s: float) -> bytes:
        """The function's answer. Raises `InvokeError` when it failed, or has not answered within its time."""
        answer = self.outcome(function, payload, timeout_s)
        if is_error(answer):
            raise InvokeError(f"{function}: {answer[:500].decode(errors='replace')}")
        return answer

    def outcome(self, function: str, payload: bytes | str, timeout_s: float) -> bytes:
        """The function's answer or its error. Raises `InvokeError` when neither comes within its time."""
        try:
            answer = self._client.post(
                f"/2015-03-31/functions/{function}/invocations",
                content=payload,
                headers={"Content-Type": "application/json"},
                timeout=timeout_s,
            )
        except httpx.HTTPError as error:
            raise InvokeError(f"{function}: {type(error).__name__} {error}") from error
        if answer.status_code != 200:
            raise InvokeError(f"{function}: HTTP {answer.status_code} {answer.text[:500]}")
        return answer.content

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()


def is_error(answer: bytes) -> bool:
    """Whether a function has failed with it. sam leaves the header out if the error has a requestId, as Python's do."""
    try:
        document = json.loads(answer)
    except ValueError:
        return False
    return isinstance(document, dict) and {"errorMessage", "errorType"} <= document.keys()
