"""Passwords are made once and can be read by their owner alone."""

import stat

from dev.passwords import Passwords


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_password_is_made_once(tmp_path):
    passwords = Passwords(tmp_path / "secrets")
    first = passwords.get("redis")
    assert len(first) >= 24
    assert Passwords(tmp_path / "secrets").get("redis") == first
    assert passwords.get("mysql_root") != first


def test_only_the_owner_can_read(tmp_path):
    passwords = Passwords(tmp_path / "secrets")
    passwords.get("redis")
    folder = passwords.handed_to("order", {"mysql_password": "word"})
    assert mode(tmp_path / "secrets") == 0o700
    assert mode(tmp_path / "secrets" / "redis") == 0o600
    assert mode(folder) == 0o700
    assert mode(folder / "mysql_password") == 0o600


def test_a_process_gets_what_it_needs_and_nothing_else(tmp_path):
    passwords = Passwords(tmp_path / "secrets")
    passwords.handed_to("order", {"mysql_password": "old", "redis_password": "no longer needed"})
    folder = passwords.handed_to("order", {"mysql_password": "new"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"mysql_password": "new"}
