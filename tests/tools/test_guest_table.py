"""The tables of tests/guest/README.md name tests and cases that exist."""
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
GUEST = TESTS / "guest"


def section(title):
    text = (GUEST / "README.md").read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title):
    """The last cell of each row below the table's head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [line.strip("|").split("|")[-1].strip() for line in lines[2:]]


def case_names(test):
    """The names in a guest test's table, whose strings may be continued on the next line."""
    source = (GUEST / f"{test}.c").read_text()
    table = source.split("static const struct tap_case cases[] = {")[1]
    return re.findall(r'\{\s*"([^"]*)"', table)


def entries():
    return [tuple(entry.strip().split(": ", 1))
            for row in rows("Where others stumbled") for entry in row.split(";")]


@pytest.mark.parametrize("test, case", entries())
def test_a_case_begins_so(test, case):
    if (TESTS / "host" / f"{test}.c").exists():
        assert case in (TESTS / "host" / f"{test}.c").read_text()
    else:
        assert any(name.startswith(case) for name in case_names(test))


@pytest.mark.parametrize("title", ["The classic lab points", "The memory calls"])
def test_tests_are_there(title):
    for row in rows(title):
        for test in re.findall(r"[a-z_]+", row):
            assert (GUEST / f"{test}.c").exists(), test


@pytest.mark.parametrize("point", sorted(set(range(1, 35)) - {23, 29}))
def test_each_lab_point_is_in_a_case(point):
    named = [name for file in GUEST.glob("*.c") if "struct tap_case cases" in file.read_text()
             for name in case_names(file.stem) if re.search(r"\(labs? [^)]*\)", name)]
    assert any(str(point) in re.findall(r"\d+", re.search(r"\(labs? ([^)]*)\)", name)[1])
               for name in named)
