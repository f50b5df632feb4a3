"""What is told while the engine is compiled: once, and only where it takes long."""

import time

import pytest

from intergreen.envs.simulation import compile_notice as notice


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(notice, "_said", [])
    monkeypatch.setattr(notice, "NOTICE_AFTER_S", 0.01)


def test_who_waits_is_told_once(capsys):
    for _ in range(2):
        with notice.compile_notice(), notice.compile_notice():
            time.sleep(0.1)
    assert capsys.readouterr().err.count("compiling the engine") == 1


def test_what_is_quick_is_done_in_silence(capsys, monkeypatch):
    monkeypatch.setattr(notice, "NOTICE_AFTER_S", 10.0)
    with notice.compile_notice():
        pass
    assert capsys.readouterr().err == ""
