"""The look-up over small databases written here, and over the one that comes with Assay."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assay.errors import StageError
from assay.schemas.geoip import GeoIpRequest, GeoIpResult
from functions.geoip.bootstrap import GeoIpError, build
from functions.geoip.lookup import UNKNOWN, CountryLookup
from tests.harness import maxmind

NETWORKS = {
    "8.8.0.0/17": {"country": {"iso_code": "US", "names": {"en": "United States"}}},
    "5.9.0.0/16": {"country_code": "DE"},
    "41.75.80.0/21": {"country": "NG"},
    "2a01:4f8::/31": {"country": {"iso_code": "DE"}},
    "9.0.0.0/8": {"country": {"iso_code": "None"}},
    "11.0.0.0/8": {"country": {"iso_code": "Unknown"}},
    "12.0.0.0/8": {"continent": {"code": "EU"}},
    "13.0.0.0/8": {"country": {"iso_code": 7}},
    "14.0.0.0/8": "DE",
    "15.0.0.0/8": {"country": {"names": {"en": "Utopia"}}},
    "10.0.0.0/8": {"country": {"iso_code": "US"}},
    "2001:db8::/32": {"country": {"iso_code": "US"}},
}
NOWHERE = [
    *("0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::808:808", "::8.8.8.8", "::ffff:0:8.8.8.8"),
]
WRONG = [
    *("", " ", "8.8.8", "8.8.8.8.8", "256.1.1.1", "08.8.8.8", "8.8.8.8/24", "8.8.8.8:80", "[::1]", ":::", "1::2::3"),
    *("8.8.8.8%eth0", "%eth0", "fe80::1%", "fe80::1%a b", "fe80::1%a%b", "localhost", "0x08080808", "134744072"),
    *(
        "8.8.8.8\0",
        "8.8.8.8\n",
        " 8.8.8.8",
        "٨.٨.٨.٨",
        "8.8.8.8" * 100,
        "fe80::1%" + "x" * 50,
        "'; --",
        "../etc/passwd",
    ),
]


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> CountryLookup:
    return build(maxmind.write(tmp_path_factory.mktemp("geoip") / "small.mmdb", NETWORKS))


def located(lookup: CountryLookup, address: str) -> GeoIpResult:
    return lookup.locate(GeoIpRequest(ip_address=address))


@pytest.mark.parametrize(
    ("address", "country", "network"),
    [
        ("8.8.8.8", "US", "8.8.0.0/17"),
        ("::ffff:8.8.8.8", "US", "8.8.0.0/17"),
        ("::FFFF:808:808", "US", "8.8.0.0/17"),
        ("5.9.255.255", "DE", "5.9.0.0/16"),
        ("41.75.87.255", "NG", "41.75.80.0/21"),
        ("2a01:4f8::1", "DE", "2a01:4f8::/31"),
        ("2A01:04F9:0000:0000:0000:0000:0000:0001", "DE", "2a01:4f8::/31"),
    ],
)
def test_country_and_network(lookup: CountryLookup, address: str, country: str, network: str) -> None:
    assert located(lookup, address) == GeoIpResult(country=country, network=network, known=True)


@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_is_nowhere_is_unknown_whatever_the_database_says(address: str) -> None:
    class Everywhere:
        def get_with_prefix_len(self, _: str) -> tuple[Any, int]:
            return {"country": {"iso_code": "US"}}, 1

    assert located(CountryLookup(Everywhere()), address) == UNKNOWN


@pytest.mark.parametrize("address", ["8.9.0.1", "9.1.1.1", "11.1.1.1", "12.1.1.1", "13.1.1.1", "14.1.1.1", "15.1.1.1"])
def test_no_record_or_no_iso_country_is_unknown(lookup: CountryLookup, address: str) -> None:
    assert located(lookup, address) == UNKNOWN


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        GeoIpRequest(ip_address=address)


def test_a_database_of_ipv4_only_knows_no_ipv6(tmp_path: Path) -> None:
    lookup = build(maxmind.write(tmp_path / "v4.mmdb", {"8.0.0.0/8": {"country_code": "US"}}, ip_version=4))
    assert located(lookup, "8.8.8.8") == GeoIpResult(country="US", network="8.0.0.0/8", known=True)
    assert located(lookup, "2a01:4f8::1") == UNKNOWN


def test_the_ranges_are_those_of_the_standard_library() -> None:
    """`ipaddress` knows IANA's registries too; it calls multicast global."""

    class Everywhere:
        def get_with_prefix_len(self, _: str) -> tuple[Any, int]:
            return {"country": {"iso_code": "US"}}, 1

    lookup, rnd = CountryLookup(Everywhere()), random.Random(7)
    for _ in range(20_000):
        address = ip_address(rnd.getrandbits(32))
        if address in ip_network("192.88.99.0/24"):  # the relays of 6to4, given up by RFC 7526
            continue
        assert located(lookup, str(address)).known == (address.is_global and not address.is_multicast), address


def test_the_packaged_database_is_real() -> None:
    lookup = build(None)
    for address, country in {"8.8.8.8": "US", "193.0.6.139": "NL", "5.9.0.1": "DE", "2a01:4f8::1": "DE"}.items():
        found = located(lookup, address)
        assert found.country == country
        assert found.network is not None and ip_address(address) in ip_network(found.network)
    assert located(lookup, "10.0.0.1") == UNKNOWN


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not a database",
        lambda content: content[: len(content) // 2],
        lambda content: content[-150:],
        lambda content: b"\x80\x04\x95",
    ],
)
def test_a_broken_file_is_refused_and_named(tmp_path: Path, damage: Any) -> None:
    path = maxmind.write(tmp_path / "bank.mmdb", NETWORKS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(GeoIpError, match=r"bank\.mmdb"):
        build(path)


def test_a_missing_file_a_folder_and_no_package_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.mmdb", tmp_path):
        with pytest.raises(GeoIpError, match="ASSAY_GEOIP_DATABASE"):
            build(path)
    monkeypatch.setattr("functions.geoip.bootstrap.PACKAGED", ("nobody_ships_this", "x.mmdb"))
    with pytest.raises(GeoIpError, match="no database"):
        build(None)


def test_flipped_bytes_give_an_answer_or_a_stage_error_and_never_end_the_process(tmp_path: Path) -> None:
    path, rnd = tmp_path / "flipped.mmdb", random.Random(7)
    content = maxmind.write(path, NETWORKS).read_bytes()
    outcomes = {"refused": 0, "answered": 0, "failed": 0}
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[rnd.randrange(len(damaged))] ^= 1 << rnd.randrange(8)
        path.write_bytes(damaged)
        try:
            lookup = build(path)
        except GeoIpError:
            outcomes["refused"] += 1
            continue
        for address in ("8.8.8.8", "5.9.1.1", "2a01:4f8::1", "9.9.9.9"):
            try:
                assert isinstance(located(lookup, address), GeoIpResult)
                outcomes["answered"] += 1
            except StageError:
                outcomes["failed"] += 1
    assert all(outcomes.values()), outcomes


def test_a_file_that_is_overwritten_or_removed_changes_nothing(tmp_path: Path) -> None:
    path = maxmind.write(tmp_path / "bank.mmdb", NETWORKS)
    lookup = build(path)
    with path.open("r+b") as file:
        file.truncate(0)
    assert located(lookup, "8.8.8.8").country == "US"
    path.unlink()
    assert located(lookup, "5.9.0.1").country == "DE"
