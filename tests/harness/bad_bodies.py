"""Bodies that must be refused, by family. Every case says which field must be named and what must not come back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from tests.harness.corpus import (
    LOGIN,
    MARK,
    MODELS,
    SCORE,
    SHAPES,
    Case,
    changed,
    encoded,
    numbers,
    paths,
    texts,
)

CARD = "4111111111111111"
SPELLINGS = {
    "plain": CARD,
    "dashes": "4111-1111-1111-1111",
    "spaces": "4111 1111 1111 1111",
    "dots": "4111.1111.1111.1111",
    "full width": "".join(chr(0xFF10 + int(digit)) for digit in CARD),
    "inside a word": f"pan{CARD}x",
    "underscores": "4111_1111_1111_1111",
    "single digits": " ".join(CARD),
}
AMEX = "378282246310005"


def wrong_types() -> Iterator[Case]:
    """Every field with every JSON type that it is not."""
    others: tuple[object, ...] = (True, [MARK], {MARK: MARK}, [[]], MARK + " ", 1, 1.5, -7, 10**40, "", "\0", "x" * 70)
    for shape in SHAPES:
        for name, good in paths(shape):
            for value in others:
                if isinstance(good, (int, float)) and type(value) in (int, float) and 0 <= value < 2:
                    continue  # may be right; the wrong ones of each number are in `wrong_numbers`
                if name.startswith("balance_") and value == -7:
                    continue
                yield Case(f"{name} = {value!r:.30}", shape, encoded(changed(shape, name, value)), _named(name, value))


def _named(name: str, value: object) -> tuple[str, ...]:
    # An object in place of `features` is looked into: its own key is what is wrong.
    return () if name == "features" and isinstance(value, dict) else (name,)


def missing_fields() -> Iterator[Case]:
    """Every required field absent, and null."""
    for shape, model in MODELS.items():
        for name, info in model.model_fields.items():
            if info.is_required():
                without = {key: value for key, value in SHAPES[shape].items() if key != name}
                yield Case(f"without {name}", shape, encoded(without), (name,))
                yield Case(f"{name} null", shape, encoded(changed(shape, name, None)), (name,))


def wrong_numbers() -> Iterator[Case]:
    """Not finite, out of range, without end: as literals, for every number."""
    literals = ("NaN", "Infinity", "-Infinity", "1e309", "-1e309", "1e400000", "7" * 5000, "-" + "7" * 4000)
    literals += ("1e13", "0x10", "01", "+1", ".5", "1.", "1_000", "1e", '"1"', '"NaN"', "1,5")
    for shape in SHAPES:
        for name in numbers(shape):
            body = encoded(changed(shape, name, "PUT-HERE"))
            for literal in literals:
                named = (name,) if literal in ("1e13", '"1"', '"NaN"') else ()
                yield Case(f"{name} = {literal:.12}", shape, body.replace(b'"PUT-HERE"', literal.encode()), named)
    for literal in ("0", "-0.0", "-1", "1e-400", "5e-324", "0.001", "24.999", "1000000000000.01"):
        body = encoded(changed("score", "amount", "PUT-HERE")).replace(b'"PUT-HERE"', literal.encode())
        yield Case(f"amount = {literal}", "score", body, ("amount",))


def wrong_text() -> Iterator[Case]:
    """Lone surrogates escaped and raw, NUL, control characters, another script: in every text and as a key."""
    bad = {r'"\ud800"': (), r'"\udc00x"': (), r'"a\u0000b"': (), r'"\n"': (), '"äöü"': (), r'"\u202e"': (), '"a b"': ()}
    raw = {b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"', b'"\xf5\x80\x80\x80"', b'"a\x00b"', b'"\x01"'}
    for shape in SHAPES:
        for name in texts(shape):
            body = encoded(changed(shape, name, "PUT-HERE"))
            for literal in bad:
                text = literal.encode()
                yield Case(f"{name} = {literal}", shape, body.replace(b'"PUT-HERE"', text), (name,))
            for bytes_ in raw:
                yield Case(f"{name} = {bytes_!r}", shape, body.replace(b'"PUT-HERE"', bytes_))
        for literal in (*(text.encode() for text in bad), *raw):
            yield Case(f"key {literal!r}", shape, encoded(SHAPES[shape])[:-1] + b", " + literal + b": 1}")
    inner = encoded(changed("score", "features", {"PUT-HERE": 1}))
    for literal in bad:
        yield Case(f"inner key {literal}", "score", inner.replace(b'"PUT-HERE"', literal.encode()))


def strangers() -> Iterator[Case]:
    """Fields nobody asked for, keys given twice, documents that are no object."""
    for shape in SHAPES:
        plain = encoded(SHAPES[shape])
        for name in ("verdict", "decision", "fraud_score", "degraded", "client_id", "__proto__", "__class__", "fraud"):
            yield Case(f"extra {name}", shape, encoded({**SHAPES[shape], name: MARK}), (name,))
        for name, value in SHAPES[shape].items():
            again = b", " + encoded({name: value})[1:]
            yield Case(f"{name} twice", shape, plain[:-1] + again, (name,))
        yield Case("a key of 60 kB", shape, encoded({**SHAPES[shape], "k" * 60_000: 1}))
        yield Case("3,000 extra keys", shape, encoded({**SHAPES[shape], **{f"k{n}": n for n in range(3_000)}}))
        yield Case("a key of a card number", shape, encoded({**SHAPES[shape], CARD: 1}), secrets=(CARD,))
        yield Case("card number in a key", shape, encoded({**SHAPES[shape], f"pan_{CARD}": 1}), secrets=(CARD,))
        twice = plain[:-1] + f', "pan_{CARD}": 1, "pan_{CARD}": 1}}'.encode()
        yield Case("card number in a key, twice", shape, twice, secrets=(CARD,))
        for other in (b"[]", b'"text"', b"1", b"null", b"true", b"[" + plain + b"]", b"{}", b"{", b" ", b""):
            yield Case(f"body {other!r:.12}", shape, other)
        for other in (plain + plain, plain + b"x", plain + b"\0", b"//c\n" + plain, plain.replace(b'"', b"'")):
            yield Case(f"body {other[:20]!r}...{other[-5:]!r}", shape, other)
    features = {**SCORE["features"], "verdict": MARK}
    yield Case("extra inner field", "score", encoded({**SCORE, "features": features}), ("features.verdict",))


def encodings() -> Iterator[Case]:
    """Good JSON in another encoding than plain UTF-8."""
    for shape in SHAPES:
        text = json.dumps({**SHAPES[shape]})
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig", "cp500"):
            yield Case(name, shape, text.encode(name))
        yield Case("UTF-7", shape, text.replace('"', "+ACI-").encode())
        yield Case("latin-1", shape, text.replace("mobile", "mobilé").replace("failure", "failuré").encode("latin-1"))


def bombs() -> Iterator[Case]:
    """Nesting at every depth around the interpreter's limit, and as deep as a body may be long."""
    for depth in (10, 100, 500, *range(850, 1_010), 5_000, 30_000):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            inner = opening * depth + r'"\u0041"' + closing * depth
            if len(inner) < 64_000:
                body = encoded({**LOGIN, "x": "PUT-HERE"}).replace(b'"PUT-HERE"', inner.encode())
                yield Case(f"{opening} {depth} deep", "login", body)
    yield Case("unclosed", "score", b"[" * 65_000)
    yield Case("unclosed objects", "score", b'{"a":' * 13_000)
    yield Case("wide", "score", b'{"a":[' + b"0," * 32_000 + b"0]}")
    yield Case("64 kB of digits", "score", b'{"amount":' + b"9" * 65_000 + b"}")
    yield Case("too long", "score", encoded(SCORE) + b" " * 65_536, statuses=(413,))
    yield Case("too long by one", "login", encoded(LOGIN).ljust(64 * 1024 + 1), statuses=(413,))


def times() -> Iterator[Case]:
    """Dates that are far, absent from the calendar, or written otherwise."""
    wrong = (
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "0000-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2026-06-30T23:59:60Z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-03-01 12:00:00Z",
        "2026-03-01T12:00:00+99:99",
        "2026-03-01T12:00:00+24:00",
        "20260301T120000Z",
        "2026-W09-7T12:00:00Z",
        "12026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00.1234567890Z",
        "２０２６-03-01T12:00:00Z",
        "1772366400",
        "now",
        "",
        " 2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00Z\n",
    )
    for shape in ("score", "login"):
        for moment in (*wrong, 1772366400, 1772366400.5, -1, 1e300):
            body = encoded(changed(shape, "occurred_at", moment))
            yield Case(f"occurred_at = {moment!r}", shape, body, ("occurred_at",))
    days = ("2026-02-30", "0000-01-01", "2026-3-1", "2026-W09-7", "20260301", "2026-03-01T00:00:00Z", "10000-01-01")
    for day in days:
        body = encoded(changed("score", "account_opened_at", day))
        yield Case(f"account_opened_at = {day}", "score", body, ("account_opened_at",))


def card_numbers() -> Iterator[Case]:
    """A card number in every text field, in every spelling, plain and escaped; in numbers; in what nobody asked for."""
    for shape in SHAPES:
        for name in texts(shape):
            for spelling, text in SPELLINGS.items():
                body = json.dumps(changed(shape, name, text), ensure_ascii=False).encode()
                yield Case(f"{name}: {spelling}", shape, body, (name,), (CARD, text))
            escaped = "".join(f"\\u{ord(digit):04x}" for digit in CARD).encode()
            body = encoded(changed(shape, name, "PUT-HERE")).replace(b"PUT-HERE", escaped)
            yield Case(f"{name}: escaped", shape, body, (name,), (CARD,))
            yield Case(f"{name}: Amex", shape, encoded(changed(shape, name, AMEX)), (name,), (AMEX,))
        for name in numbers(shape):
            for value in (int(CARD), float(CARD), -int(CARD)):
                yield Case(f"{name} = {value}", shape, encoded(changed(shape, name, value)), (name,), (CARD,))
        stranger = {**SHAPES[shape], "note": [{"inner": CARD}]}
        yield Case("in an extra field", shape, encoded(stranger), ("note.0.inner",), (CARD,))


def truncations() -> Iterator[Case]:
    """Every proper prefix of a good body."""
    for shape in SHAPES:
        body = encoded(SHAPES[shape])
        yield from (Case(f"cut at {end}", shape, body[:end]) for end in range(len(body)))


def mutations(seed: int, number: int) -> Iterator[Case]:
    """Good bodies with one to four bytes changed, inserted, doubled or dropped: some stay valid."""
    chance = random.Random(seed)
    for n in range(number):
        shape = chance.choice(sorted(SHAPES))
        body = bytearray(encoded(SHAPES[shape]))
        for _ in range(chance.randint(1, 4)):
            at, kind = chance.randrange(len(body)), chance.randrange(4)
            if kind == 0:
                body[at] = chance.randrange(256)
            elif kind == 1:
                body.insert(at, chance.randrange(256))
            elif kind == 2:
                del body[at]
            else:
                body[at:at] = body[at : at + chance.randint(1, 40)]
        yield Case(f"mutation {n} of seed {seed}", shape, bytes(body), secrets=())
