"""Whatever a client sends: never a 5xx, never a value repeated, never a trace in the store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote

import httpx
import pytest

from tests.harness import bad_bodies, corpus, problems
from tests.harness.bad_bodies import CARD
from tests.harness.corpus import LOGIN, MARK, SCORE, Case, encoded
from tests.harness.service import JSON, Service
from tests.harness.wire import Caller, Reply

SHOWN = 25


@pytest.fixture(scope="module")
def caller(server: Service) -> Iterator[Caller]:
    found = Caller(server)
    yield found
    found.close()


@pytest.fixture
def unchanged(server: Service) -> Iterator[None]:
    """The test leaves the store as it was."""
    before = server.counts()
    yield
    assert server.counts() == before


def refused(caller: Caller, cases: Iterable[Case]) -> list[str]:
    """What was wrong with the refusals, case by case."""
    found = []
    for case in cases:
        reply = caller.send("POST", case.path, case.body)
        wrong = problems.faults(
            reply.status, reply.headers, reply.body, case.fields, (*case.secrets, CARD), case.statuses
        )
        found += [f"{case.shape}: {case.name}: {fault}" for fault in wrong]
    return found[:SHOWN]


def test_the_shapes_themselves_are_good(caller: Caller) -> None:
    expected = {"score": 200, "flat": 200, "login": 202}
    for shape, body in corpus.SHAPES.items():
        reply = caller.send("POST", Case(shape, shape, b"").path, encoded(body))
        assert reply.status == expected[shape], reply.body


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "family",
    [
        bad_bodies.truncations,
        bad_bodies.wrong_types,
        bad_bodies.missing_fields,
        bad_bodies.wrong_numbers,
        bad_bodies.wrong_text,
        bad_bodies.strangers,
        bad_bodies.encodings,
        bad_bodies.bombs,
        bad_bodies.times,
        bad_bodies.card_numbers,
    ],
)
def test_a_family_of_bad_bodies_is_refused(caller: Caller, family: Callable[[], Iterator[Case]]) -> None:
    assert not refused(caller, family())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_bodies_are_refused_or_still_good(caller: Caller, server: Service, seed: int) -> None:
    before, wrong = server.counts(), []
    decided: set[str] = set()
    logins = 0
    for case in bad_bodies.mutations(seed, 300):
        reply = caller.send("POST", case.path, case.body)
        if reply.status == 200:
            decided.add(json.loads(reply.body)["transaction_id"])
        elif reply.status == 202:
            logins += json.loads(reply.body)["recorded"]
        else:
            wrong += [f"{case.name}: {fault}" for fault in problems.faults(reply.status, reply.headers, reply.body)]
    assert not wrong[:SHOWN]
    after = server.counts()
    assert after["logins"] - before["logins"] == logins
    assert 0 <= after["decisions"] - before["decisions"] <= len(decided)
    assert after["scored_events"] - before["scored_events"] == after["decisions"] - before["decisions"]
    assert after["dead_letters"] == 0


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("path", ["/score", "/events/logins"])
def test_another_content_type_is_refused(caller: Caller, path: str) -> None:
    body = encoded({**SCORE, "transaction_id": "type-1"} if path == "/score" else {**LOGIN, "event_id": "type-1"})
    types = ("text/plain", "application/xml", "application/jsonx", "application/json-patch+json", "multipart/form-data")
    types += ("application/x-www-form-urlencoded", "json", "", "*/*", "application/json/x", f"text/{MARK}", "x" * 9_000)
    wrong = []
    for media_type in types:
        reply = caller.send("POST", path, body, {**caller.headers, "Content-Type": media_type})
        wrong += problems.faults(reply.status, reply.headers, reply.body, (), (MARK,), [415])
    without = {"Authorization": caller.headers["Authorization"]}
    reply = caller.send("POST", path, body, without)
    assert not wrong + problems.faults(reply.status, reply.headers, reply.body, statuses=[415])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "x-unknown"])
def test_a_compressed_body_is_refused(caller: Caller, coding: str) -> None:
    body = encoded({**SCORE, "transaction_id": "coding-1"})
    bomb = gzip.compress(b'{"a":"' + b"a" * 30_000_000 + b'"}')
    for sent in (body, gzip.compress(body), bomb):
        reply = caller.send("POST", "/score", sent, {**caller.headers, "Content-Encoding": coding})
        assert not problems.faults(reply.status, reply.headers, reply.body, statuses=[415])


def test_a_charset_or_case_of_json_is_json(caller: Caller) -> None:
    for n, media_type in enumerate(("application/json; charset=utf-8", "APPLICATION/JSON", " application/json ;x=y")):
        body = encoded({**SCORE, "transaction_id": f"json-{n}"})
        assert caller.send("POST", "/score", body, {**caller.headers, "Content-Type": media_type}).status == 200


def test_a_strange_query_changes_nothing(caller: Caller) -> None:
    body = encoded(SCORE)
    first = caller.send("POST", "/score", body)
    queries = ("explain=true&explain=false", "explain=%ff", "explain", "=", "&&&", "%", "%zz", "a=" + "b" * 9_000)
    queries += ("&".join(f"a{n}=1" for n in range(2_000)), "explain[]=true", "explain=" + "1" * 5_000, f"card={CARD}")
    for query in queries:
        again = caller.send("POST", f"/score?{query}", body)
        assert (again.status, again.body) == (first.status, first.body)
        assert not problems.faults(*_parts(caller.send("POST", f"/score?{query}", b"{")), secrets=(CARD,))


def _parts(reply: Reply) -> tuple[int, Mapping[str, str], bytes]:
    return reply.status, reply.headers, reply.body


ABSURD = (
    *("%00", "a%00b", "%ff", "%c0%af", "%ed%a0%80", "..%2fhealth", "%2e%2e%2fhealth", "..", ".", "...", "%2f", "a%2fb"),
    *("x" * 10_000, "x" * 60_000, "%41" * 5_000, "'--", "%27%20OR%201=1--", "*", "%25", "%", "%zz", "a;b", "a?b", "~"),
    *(
        "%0d%0aX:1",
        quote("ä"),
        quote("\u202e"),
        quote("𝟜"),
        CARD,
        "4111-1111-1111-1111",
        "null",
        "-1",
        "[]",
        "{}",
        "<script>",
        "%20",
        "%0d%0aX:1",
    ),
)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("prefix", ["/decisions/", "/", "/events/", "/docs/", "//"])
def test_an_absurd_path_is_not_found(caller: Caller, prefix: str) -> None:
    wrong = []
    for tail in ABSURD:
        reply = caller.send("GET", prefix + tail)
        secrets = (CARD, "<script>", "X:1")
        wrong += [
            f"{prefix + tail:.40}: {fault}"
            for fault in problems.faults(reply.status, reply.headers, reply.body, (), secrets, [404])
        ]
    assert not wrong


@pytest.mark.usefixtures("unchanged")
def test_a_garbage_token_is_never_repeated(caller: Caller) -> None:
    header, claims, signature = caller.headers["Authorization"].removeprefix("Bearer ").split(".")
    deep = "eyJ" + "W" * 4_000
    garbage = (MARK, f"{MARK}.{MARK}.{MARK}", "a.b", "....", "a" * 4_096, "a" * 100_000, deep, f"{deep}.{claims}.x")
    garbage += (f"{header}.{claims}", f"{header}.{claims}.{signature}=", f"{header}.{claims}.{signature} x", "null")
    garbage += (*(f"{other}.{claims}.{signature}" for other in ("bnVsbA", "W10", "e30")), "{}", "\xe4", "\t")
    for scheme in ("Bearer ", "bearer  ", "Basic ", "", "Bearer\t", "Bearer,"):
        for token in garbage:
            headers = {**JSON, "Authorization": scheme + token}
            reply = caller.send("POST", "/score", encoded(SCORE), headers)
            secrets = (MARK, signature)
            wrong = problems.faults(reply.status, reply.headers, reply.body, (), secrets, [401])
            assert not wrong, (scheme, token[:40], wrong)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("path", ["/score", "/events/logins"])
@pytest.mark.parametrize("chunked", [False, True])
def test_twenty_megabytes_are_refused_unread(server: Service, path: str, chunked: bool) -> None:
    """The client may be cut off while it still sends: a refusal that it cannot read any more is one, too."""

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000_000

    body: bytes | Iterator[bytes] = pieces() if chunked else b" " * 20_000_000
    with server.client() as client:
        try:
            answer = client.post(path, content=body, headers=JSON)
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            pass
        else:
            assert not problems.faults(answer.status_code, answer.headers, answer.content, statuses=[413])
        assert client.get("/health").status_code == 200
