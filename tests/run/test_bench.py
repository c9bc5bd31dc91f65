"""`./stos bench` of stos alone; Linux's half needs a network."""

import json
import subprocess

import pytest
from command import PATIENCE, STOS


def bench(*options: str) -> str:
    command = [STOS, "bench", "--no-build", "--no-linux", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout


def test_figures_repeat():
    runs = [json.loads(bench("--only", "getppid|^boot$", "--json")) for _ in range(2)]
    for run in runs:
        assert [row["row"] for row in run] == ["getppid", "boot"]
        assert all(row["stos"] > 10 and row["linux"] is None for row in run)
    (first, _), (again, _) = runs  # the firmware makes a difference to the boot
    assert first["stos"] == pytest.approx(again["stos"], rel=0.01)


def test_the_table():
    lines = bench("--only", "^memory$").splitlines()
    assert len(lines) == 3 and "| memory in use after boot" in lines[2]
