"""Writes a database in MaxMind's format: what a test looks up is in the test, and no database is committed.

https://maxmind.github.io/MaxMind-DB/: a binary tree of 24-bit records, the data, the metadata.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
KINDS = {"node_count": 6, "build_epoch": 9}
Node = list[Any]
"""Two branches: a Node, a record, or None."""


def write(path: Path, networks: dict[str, Any], ip_version: int = 6) -> Path:
    """A database of the records by network. In one of IP version 6, IPv4 is the part ::/96. Networks do not overlap."""
    root: Node = [None, None]
    for text, record in networks.items():
        _insert(root, _bits(text, ip_version), record)
    nodes, data = _flatten(root), bytearray()
    tree = bytearray()
    offsets: dict[str, int] = {}
    for node in nodes:
        for branch in node:
            tree += _pointer(branch, nodes, offsets, data).to_bytes(3)
    metadata = {
        "node_count": len(nodes),
        "record_size": 24,
        "ip_version": ip_version,
        "database_type": "Test-Country",
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_780_000_000,
        "description": {"en": "for a test"},
    }
    path.write_bytes(bytes(tree) + bytes(16) + bytes(data) + MARKER + _encode(metadata))
    return path


def _bits(text: str, ip_version: int) -> str:
    network = ip_network(text)
    prefix = "0" * 96 if network.version < ip_version else ""
    return prefix + f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]


def _insert(root: Node, bits: str, record: Any) -> None:
    node = root
    for bit in map(int, bits[:-1]):
        if node[bit] is None:
            node[bit] = [None, None]
        node = node[bit]
    node[int(bits[-1])] = record


def _flatten(root: Node) -> list[Node]:
    nodes = [root]
    for node in nodes:  # grows while it is walked
        nodes += [branch for branch in node if isinstance(branch, list)]
    return nodes


def _pointer(branch: Any, nodes: list[Node], offsets: dict[str, int], data: bytearray) -> int:
    if branch is None:
        return len(nodes)
    if isinstance(branch, list):
        return next(at for at, node in enumerate(nodes) if node is branch)
    if repr(branch) not in offsets:
        offsets[repr(branch)] = len(data)
        data += _encode(branch)
    return len(nodes) + 16 + offsets[repr(branch)]


def _encode(value: Any, kind: int = 5) -> bytes:
    """`kind`: the type of a number; readers insist on those of the metadata."""
    if isinstance(value, str):
        return _head(2, len(value.encode())) + value.encode()
    if isinstance(value, int):
        digits = value.to_bytes((value.bit_length() + 7) // 8)
        return _head(kind, len(digits)) + digits
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encode, value))
    return _head(7, len(value)) + b"".join(
        _encode(key) + _encode(entry, KINDS.get(key, 5)) for key, entry in value.items()
    )


def _head(kind: int, size: int) -> bytes:
    assert size < 285
    low, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | low]) if kind < 8 else bytes([low, kind - 7])) + more
