"""Addresses are read as the WHATWG URL Standard says, and domains by the Public Suffix List."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import address

URLS = Path(__file__).parents[3] / "shared" / "data" / "urls"
given_data = pytest.mark.skipif(not URLS.is_dir(), reason="the shared URL tests are not here")


def cases(name: str) -> list[dict[str, Any]]:
    path = URLS / name
    return (
        [item for item in json.loads(path.read_text(encoding="utf-8")) if isinstance(item, dict)]
        if path.exists()
        else []
    )


@given_data
def test_every_address_of_the_standards_tests_is_read_as_the_standard_says() -> None:
    tests = cases("urltestdata.json")
    assert len(tests) > 700
    wrong = []
    for case in tests:
        base = case["base"] or ""
        try:
            found: str | None = address.canonical(case["input"], base)
        except (address.BadAddress, UnicodeEncodeError):
            found = None
        wanted = None if case.get("failure") else case["href"].partition("#")[0]
        if found != wanted:
            wrong.append((case["input"], base, found, wanted))
    assert wrong == []


@given_data
def test_every_host_of_the_standards_tests_is_read_as_the_standard_says() -> None:
    tests = cases("toascii.json")
    assert len(tests) > 50
    wrong = []
    for case in tests:
        try:
            found: str | None = address.host(address.canonical(f"https://{case['input']}/x"))
        except address.BadAddress:
            found = None
        if found != case["output"]:
            wrong.append((case["input"], found, case["output"]))
    assert wrong == []


@given_data
def test_domains_are_those_of_the_public_suffix_tests() -> None:
    import re

    wrong = []
    count = 0
    for line in (URLS / "test_psl.txt").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"checkPublicSuffix\((?:null|'(.*)'), (?:null|'(.*)')\);", line.strip())
        if not match or not match[1] or match[1].startswith("."):
            continue
        count += 1
        try:
            name = address.host(address.canonical(f"http://{match[1]}/"))
            wanted = address.host(address.canonical(f"http://{match[2]}/")) if match[2] else None
        except address.BadAddress:
            continue
        found = None if address.is_suffix(name) or "." not in name else address.registrable(name)
        if found != wanted:
            wrong.append((match[1], found, wanted))
    assert count > 60
    assert wrong == []


@given(st.text(max_size=80), st.sampled_from(["", "http://a.example/b/c?d", "https://[::1]:8080/"]))
def test_a_canonical_address_is_its_own_canonical_address(text: str, base: str) -> None:
    try:
        once = address.canonical(text, base)
    except address.BadAddress:
        return
    assert address.canonical(once) == once
    assert "#" not in once
    assert address.identity(address.identity(once)) == address.identity(once)
    assert address.scheme(once)


@given(
    st.from_regex(
        r"https?://[a-z]{1,8}(\.[a-z]{2,6}){1,3}(/[a-zA-Z0-9._~-]{0,8}){0,4}(\?[a-z]{1,5}=[a-z0-9]{0,5})?",
        fullmatch=True,
    )
)
def test_a_defanged_address_cannot_be_clicked(url: str) -> None:
    assert not address.defang(url).startswith("http")
    assert "." not in address.defang(url).partition("://")[2].partition("/")[0].replace("[.]", "")
