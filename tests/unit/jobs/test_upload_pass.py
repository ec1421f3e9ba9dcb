import stat
from pathlib import Path

import pytest

from jobs.upload_pass import LIFETIME_S, is_pass, key_of, make_pass, refusal

HERE = {"host": "localhost:8501"}


def test_a_pass_holds_for_a_day_and_for_nobody_elses_key(tmp_path: Path) -> None:
    key, now = key_of(tmp_path), 1_000_000.0
    given = make_pass(key, "one-session", now)
    assert is_pass(key, given, now + LIFETIME_S - 1)
    assert not is_pass(key, given, now + LIFETIME_S)
    assert not is_pass(key_of(tmp_path / "other"), given, now)
    assert not is_pass(key, given.replace("one", "two"), now)
    until = given.split(".")[1]
    assert not is_pass(key, given.replace(until, str(int(until) + 9)), now)


@pytest.mark.parametrize("given", ["", ".", "..", "a.b.c", "a.1", "a.²5.x", "a.99999999999.é"])
def test_what_is_no_pass_is_none(given: str) -> None:
    assert not is_pass(b"key", given)


def test_the_key_outlives_the_server_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    assert key_of(tmp_path) == key_of(tmp_path)
    assert stat.S_IMODE((tmp_path / "upload.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["upload.key"]


@pytest.mark.parametrize("client", [None, "127.0.0.1", "::1", "127.3.2.1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8501", "[::1]:8501"])
def test_whoever_sits_at_this_machine_may_upload(client: str | None, host: str) -> None:
    assert refusal(client, {"host": host}, proxy_signs_in=False) is None
    own = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert refusal(client, own, proxy_signs_in=False) is None


@pytest.mark.parametrize(
    ("client", "more"),
    [
        ("192.168.1.5", {}),
        ("127.0.0.1", {"x-forwarded-for": "192.168.1.5"}),
        ("127.0.0.1", {"forwarded": "for=192.168.1.5"}),
        ("127.0.0.1", {"host": "rebound.example:8501"}),
        ("127.0.0.1", {"host": ""}),
    ],
)
def test_others_need_a_proxy_that_signs_them_in(client: str, more: dict[str, str]) -> None:
    assert "only at the machine" in str(refusal(client, HERE | more, proxy_signs_in=False))
    assert refusal(client, HERE | more, proxy_signs_in=True) is None


@pytest.mark.parametrize(
    "more",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("proxy", [True, False])
def test_pages_of_others_may_never(more: dict[str, str], proxy: bool) -> None:
    assert refusal("127.0.0.1", HERE | more, proxy_signs_in=proxy) is not None
