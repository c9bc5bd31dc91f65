"""From the ISO to the prompt, and out again."""

import pytest


def test_to_the_prompt_and_power_off(boot):
    session = boot()
    greeting = session.await_prompt()
    assert "Welcome to stos" in greeting
    assert "panic" not in greeting.lower()
    session.type("poweroff")
    assert session.status() == 0


def test_nothing_of_the_loaders_is_seen(boot):
    session = boot()
    greeting = session.await_prompt()
    for word in ("GRUB", "SeaBIOS", "error:"):
        assert word not in greeting


@pytest.mark.parametrize("way", ["poweroff", "halt", "reboot"])
def test_ways_to_end(boot, way):
    session = boot("--quick")
    session.await_prompt()
    session.type(way)
    assert session.status() == 0


def test_leaving_by_control_a_x(boot, tmp_path):
    session = boot("--quick", "--status-file", str(tmp_path / "status"))
    session.await_prompt()
    session.press("a")
    session.send("x")
    assert session.status() == 0
    assert '"left"' in (tmp_path / "status").read_text()


def test_the_shell_comes_back_when_it_exits(boot):
    session = boot("--quick")
    session.await_prompt()
    session.type("exit")
    session.await_prompt()
    assert session.run("echo again").split() == ["again"]


def test_a_small_machine_boots(boot):
    session = boot("--mem", "40M")
    session.await_prompt()
    assert "MemTotal" in session.run("head -1 /proc/meminfo")
