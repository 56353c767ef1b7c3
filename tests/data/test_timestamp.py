"""Time stamps against a real local authority, and against one that misbehaves."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from data import timestamp, verify
from data.timestamp import TimestampFailed, obtain, roots
from data.verify import TokenError, check_token, pem_certificates
from tests.hostile.authority import Authority, make_authority, serve

DATA = b"the bytes of a seal"


@pytest.fixture(scope="module")
def rsa(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa") / "rsa")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa") / "stranger", kind="p256")


def trusted(authority: Authority) -> list[bytes]:
    return roots(authority.root.read_bytes())


@pytest.mark.parametrize(
    ("kind", "digest"), [("rsa", "sha256"), ("rsa", "sha512"), ("p256", "sha256"), ("p384", "sha384")]
)
def test_a_stamp_of_a_real_authority_is_taken_and_checks_in_pure_python_and_in_openssl(
    tmp_path: Path, kind: str, digest: str
) -> None:
    authority = make_authority(tmp_path / "tsa", kind=kind, digest=digest)
    with serve(authority) as address:
        stamp = obtain(address, trusted(authority), DATA)
    facts = check_token(stamp.token, DATA, trusted(authority), nonce=stamp.nonce)
    assert facts == stamp.facts
    assert facts.policy == "1.2.3.4.1"
    assert facts.time.endswith("Z")
    assert abs(stamp.clock_difference_ms) < 60_000
    (tmp_path / "token.tsr").write_bytes(stamp.token)
    (tmp_path / "data").write_bytes(DATA)
    checked = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "data", "-in", "token.tsr", "-CAfile", str(authority.root)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("status 500", "status 500"),
        ("status 500 with a good stamp", "status 500"),
        ("elsewhere", "status 302"),
        ("html", "text/html"),
        ("html called a stamp", "not a time-stamp response"),
        ("json error", "application/json"),
        ("empty", "not a time-stamp response"),
        ("wrong digest", "does not verify"),
        ("wrong nonce", "does not verify"),
        ("refusal", ""),
        ("another authority", "does not verify"),
        ("changed signature", "does not verify"),
        ("changed time", "does not verify"),
        ("huge", "too large"),
        ("late", "did not answer within"),
        ("dripping", "did not answer within"),
    ],
)
def test_a_reply_that_does_not_verify_is_never_taken(
    rsa: Authority, stranger: Authority, mode: str, reason: str
) -> None:
    with serve(rsa, mode, stranger) as address, pytest.raises(TimestampFailed) as failed:
        obtain(address, trusted(rsa), DATA, seconds=1)
    assert reason in str(failed.value)


@pytest.mark.parametrize(
    "mode", ["wrong digest", "wrong nonce", "another authority", "changed signature", "changed time"]
)
def test_our_own_check_refuses_them_as_well_as_the_client_library(
    rsa: Authority, stranger: Authority, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamp, "_check_with_client", lambda *_: None)
    with serve(rsa, mode, stranger) as address, pytest.raises(TimestampFailed, match="does not verify"):
        obtain(address, trusted(rsa), DATA)


def test_an_authority_that_nobody_answers_for_is_a_failure_with_a_reason(rsa: Authority) -> None:
    with pytest.raises(TimestampFailed, match="could not be asked"):
        obtain("http://127.0.0.1:9/", trusted(rsa), DATA, seconds=1)


def test_a_signer_whose_certificate_is_not_for_time_stamps_is_refused(tmp_path: Path) -> None:
    plain = make_authority(tmp_path / "tsa", usage="critical, timeStamping, clientAuth")
    query = tmp_path / "q.tsq"
    (tmp_path / "data").write_bytes(DATA)
    subprocess.run(
        ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q.tsq"], cwd=tmp_path, check=True
    )
    try:
        token = plain.reply(query.read_bytes())
    except subprocess.CalledProcessError:
        pytest.skip("this OpenSSL refuses to sign with such a certificate itself")
    with pytest.raises(TokenError, match="not one for time stamps only"):
        check_token(token, DATA, trusted(plain))


def test_any_single_changed_byte_of_a_token_is_refused_or_means_the_same(rsa: Authority) -> None:
    with serve(rsa) as address:
        stamp = obtain(address, trusted(rsa), DATA)
    taken = []
    for place in range(len(stamp.token)):
        changed = bytearray(stamp.token)
        changed[place] ^= 0x04
        try:
            facts = check_token(bytes(changed), DATA, trusted(rsa), nonce=stamp.nonce)
        except TokenError:
            continue
        taken.append(place)
        assert facts == stamp.facts
    # What no signature covers: a few bytes of framing and of certificates that are not needed.
    assert len(taken) < len(stamp.token) * 0.02, taken


def test_a_token_cut_off_anywhere_is_refused_without_a_traceback(rsa: Authority) -> None:
    with serve(rsa) as address:
        token = obtain(address, trusted(rsa), DATA).token
    for end in range(0, len(token), 7):
        with pytest.raises(TokenError):
            check_token(token[:end], DATA, trusted(rsa))


REAL = Path(__file__).parents[3] / "shared" / "data" / "rfc3161"
_TOKENS = {
    "digicert.tsr": "DigiCert",
    "rfc3161-client-issue-104.tsr": "IdenTrust",
    "valid_timestamp.tsr": "IdenTrust",
    "timestamp_token_http-timestamp-identrust-com": "IdenTrust",
}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real tokens are not beside the checkout")
@pytest.mark.parametrize(("name", "authority"), _TOKENS.items())
def test_real_tokens_of_public_authorities_hold_in_signature_and_chain(name: str, authority: str) -> None:
    token = (REAL / name).read_bytes()
    outer = verify.der(token).children()
    signed = outer[1].children() if outer[0].tag == 0x30 else outer
    parts = signed[1].children()[0].children()
    info = parts[2].children()[1].children()[0].content
    certificates = [
        verify.read_certificate(item.raw) for part in parts[3:] if part.tag == 0xA0 for item in part.children()
    ]
    leaf = verify._signer(parts[-1].children()[0], info, certificates)
    assert authority in leaf.name
    top = certificates[-1]
    moment = verify._der_time(verify.der(info).children()[4])
    assert verify._chain(leaf, certificates, [top], moment).raw == top.raw
    with pytest.raises(TokenError, match="does not lead to the authority"):
        stranger_root = pem_certificates((REAL / "redwax-interop-ca.crt").read_bytes())[0]
        verify._chain(leaf, certificates, [verify.read_certificate(stranger_root)], moment)
    with pytest.raises(TokenError, match="stamps other bytes"):
        check_token(token, b"other bytes", [top.raw])


@pytest.mark.skipif(not REAL.is_dir(), reason="the real tokens are not beside the checkout")
def test_a_real_token_whose_data_is_known_checks_whole() -> None:
    token = (REAL / "rfc3161-client-issue-104.tsr").read_bytes()
    assert hashlib.sha512(b"hello").digest() in token
    outer = verify.der(token).children()[1].children()[1].children()[0].children()
    top = [item.raw for part in outer[3:] if part.tag == 0xA0 for item in part.children()][-1]
    facts = check_token(token, b"hello", [top])
    assert facts.time == "2025-03-11T08:52:08.000Z"
    assert facts.digest == "sha512"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real tokens are not beside the checkout")
def test_a_real_token_whose_chain_is_not_in_it_does_not_verify() -> None:
    token = (REAL / "self_signed.tsr").read_bytes()
    other = pem_certificates((REAL / "freetsa.crt").read_bytes())
    with pytest.raises(TokenError):
        check_token(token, b"whatever", other)
