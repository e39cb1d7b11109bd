from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.webhooks.guard import checked_url, may_be_sent_to

WRONG = r"should|not a public"
PUBLIC = ["1.1.1.1", "93.184.215.14", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
PUBLIC += ["2002:101:101::1"]
LOCAL = ["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::1", "fd00::1"]
LOCAL += ["::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::a00:1", "2002:7f00:1::", "fc00::1"]
NEVER = ["169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"]
NEVER += ["0.0.0.0", "0.1.2.3", "::", "fe80::1", "fe80::1%eth0", "100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"]  # noqa: S104
NEVER += ["224.0.0.1", "255.255.255.255", "ff02::1", "2001:db8::1", "fec0::1", "::127.0.0.1", "2001:0:7f00:1::1"]
NEVER += ["64:ff9b:1::a00:1", "::ffff:0.0.0.0", "192.0.0.8", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert may_be_sent_to(ip_address(text), allow_local=False)
    assert may_be_sent_to(ip_address(text), allow_local=True)


@pytest.mark.parametrize("text", LOCAL)
def test_local_addresses_only_where_they_are_allowed(text: str) -> None:
    assert not may_be_sent_to(ip_address(text), allow_local=False)
    assert may_be_sent_to(ip_address(text), allow_local=True)


@pytest.mark.parametrize("text", NEVER)
def test_never(text: str) -> None:
    assert not may_be_sent_to(ip_address(text), allow_local=False)
    assert not may_be_sent_to(ip_address(text), allow_local=True)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address) -> None:
    for allow_local in (False, True):
        expected = may_be_sent_to(address, allow_local)
        for written in (f"::ffff:{address}", f"64:ff9b::{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"):
            assert may_be_sent_to(ip_address(written), allow_local) is expected


GOOD_URLS = [
    "https://example.com",
    "https://example.com/hooks/1?kind=a",
    "https://example.com:443/",
    "https://example.com:8443/",
    "https://1.1.1.1/",
    "https://[2606:4700::1111]/",
    "HTTPS://EXAMPLE.COM/",
    "https://xn--mnchen-3ya.de/",
]
DEVELOPMENT_URLS = ["http://example.com/", "http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:9000/"]
DEVELOPMENT_URLS += ["https://10.0.0.1/", "http://hooks.internal:80/", "https://example.com:22/"]
BAD_URLS = [
    "",
    "example.com",
    "//example.com/",
    "https://",
    "https:///path",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://user@example.com/",
    "https://user:word@example.com:8443/",
    "https://:word@example.com/",
    "https://@example.com/#x",
    "https://example.com/#fragment",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://2130706433/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1.:8443/",
    "https://exa mple.com/",
    "https://example.com/\r\nX-Header: 1",
    "https://example.com/\tx",
    "https://münchen.de/",
    "https://example.com/" + "x" * 2048,
    "https://[::1",
]


@pytest.mark.parametrize("text", GOOD_URLS)
def test_urls_of_endpoints(text: str) -> None:
    assert checked_url(text).scheme == "https"


@pytest.mark.parametrize("text", DEVELOPMENT_URLS)
def test_urls_for_development_only(text: str) -> None:
    checked_url(text, allow_local=True)
    with pytest.raises(ValueError, match=WRONG):
        checked_url(text)


@pytest.mark.parametrize("text", BAD_URLS)
def test_no_urls_of_endpoints(text: str) -> None:
    for allow_local in (False, True):
        with pytest.raises(ValueError, match=WRONG) as refused:
            checked_url(text, allow_local)
        assert len(text) < 10 or text not in str(refused.value)


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for candidate in (text, f"https://{text}"):
        try:
            checked_url(candidate)
        except ValueError as error:
            assert "should" in str(error) or "not a public" in str(error)
