"""The table of `./stos bench`: medians, figures made of several rows, ratios, targets reached."""

import pytest
from stoslib import bench, bench_rows
from stoslib.bench_rows import ROWS, Row, Samples
from stoslib.outcome import UsageError
from stoslib.profile import USER, Functions, Log, weigh


def row(name: str) -> Row:
    return next(each for each in ROWS if each.name == name)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def table(rows, linux, stos) -> list[list[str]]:
    return [cells(line) for line in bench_rows.table(rows, linux, stos).splitlines()]


@pytest.mark.parametrize(
    ("ticks", "median"),
    [((10, 30, 20), 2), ((10, 20), 1.5), ((7,), 0.7), ((9, 9, 1000, 1, 9), 0.9)],
)
def test_the_median_sample_counts_for_each_unit(ticks, median):
    assert Samples(10, ticks).median == pytest.approx(median)


def test_growth_is_the_last_over_the_first():
    samples = {"zones_mmap_10": Samples(2, (200,)), "zones_mmap_50000": Samples(2, (300,))}
    assert bench_rows.figures("stos", [row("zones_mmap_growth")], samples) == {
        "zones_mmap_growth": 1.5
    }


def test_memory_in_use_is_without_files_and_frame_array():
    samples = {
        "memory_total_kib": Samples(1, (1 << 20,)),
        "memory_free_kib": Samples(1, (1_000_000,)),
        "memory_cached_kib": Samples(1, (20_000,)),
        "memory_frames_kib": Samples(1, (14_336,)),
    }
    used = (1 << 20) - 1_000_000 - 20_000
    assert bench_rows.figures("Linux", [row("memory")], samples) == {"memory": used}
    assert bench_rows.figures("stos", [row("memory")], samples) == {"memory": used - 14_336}


def test_a_figure_whose_parts_are_missing_is_left_out():
    samples = {"zones_mmap_10": Samples(1, (5,)), "getppid": Samples(10, (1000,))}
    rows = [row("getppid"), row("zones_mmap_growth"), row("boot")]
    assert bench_rows.figures("stos", rows, samples) == {"getppid": 100}


def test_each_part_is_asked_for_once():
    rows = [row("zones_mmap_10"), row("zones_mmap_growth"), row("getppid")]
    assert bench_rows.parts_of(rows) == ["zones_mmap_10", "zones_mmap_50000", "getppid"]


def test_ratios_and_targets():
    rows = [Row("a", "A", 100), Row("b", "B", 100), Row("c", "C", None), Row("d", "D", 100)]
    linux = {"a": 400, "b": 100, "c": 100}
    stos = {"a": 100, "b": 250.4, "c": 50}
    assert table(rows, linux, stos)[2:] == [
        ["A", "400", "100", "0.25", "100", "yes"],
        ["B", "100", "250", "2.50", "100", "2.50"],
        ["C", "100", "50", "0.50", "-", "-"],
        ["D", "-", "-", "-", "100", "-"],
    ]


def test_lines_of_the_table_are_of_one_width():
    figures = {each.name: 12_345_678.9 for each in ROWS}
    lines = bench_rows.table(ROWS, figures, figures).splitlines()
    assert len(lines) == len(ROWS) + 2
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "-"), (0.4, "", "0"), (1234.5, "", "1,234"), (9_999_999, "", "9,999,999"),
        (24_930_000, "", "24.93 M"), (1.034, "x", "x1.03"), (2372, "kB", "2,372 kB"),
    ],
)
def test_numbers(value, unit, text):
    assert bench_rows.number(value, unit) == text


def test_the_record_has_what_the_table_has():
    assert bench_rows.record([row("getppid")], {}, {"getppid": 119.5}) == [
        {"row": "getppid", "text": "getppid", "unit": "instructions", "linux": None,
         "stos": 119.5, "target": 100}
    ]


def test_rows_are_chosen_by_name_or_text():
    assert [each.name for each in bench.chosen("getppid")] == ["getppid"]
    assert [each.name for each in bench.chosen("^cow_|round TRIP")] == [
        "cow_child", "cow_sole_owner", "pipe_round_trip"
    ]
    assert bench.chosen(None) == list(ROWS)


@pytest.mark.parametrize("pattern", ["(", "no such row"])
def test_a_pattern_that_cannot_be_used_is_wrong_usage(pattern):
    with pytest.raises(UsageError):
        bench.chosen(pattern)


def test_names_are_unique():
    assert len({each.name for each in ROWS}) == len(ROWS)


# --- the profile --------------------------------------------------------------------------------

BLOCKS = """\
IN: one
0xffffffff80000010:  55                       pushq    %rbp
0xffffffff80000011:  0f 01 38                 invlpg   (%rax)

IN: two
0xffffffff80000020:  c3                       retq

IN:
0x0000000000401000:  90                       nop
0x0000000000401001:  90                       nop
0x0000000000401002:  90                       nop

"""
ADDRESSES = {"one": "ffffffff80000010", "two": "ffffffff80000020", "user": "0000000000401000"}


def log(*executed: str) -> Log:
    result = Log()
    traces = [
        f"Trace 0: 0x7f00 [00000000/{ADDRESSES[name]}/0040c2b3/ff000200] x" for name in executed
    ]
    result.read([*BLOCKS.splitlines(), *traces])
    return result


class Named(Functions):
    def __init__(self):
        self._addresses = [0xFFFFFFFF80000000, 0xFFFFFFFF80000020]
        self._names = ["one", "two"]


def test_a_profile_weighs_what_the_longer_run_did_more():
    less, more = log("one", "user"), log("one", "one", "one", "two", "user", "user")
    instructions, blocks, events = weigh(less, more, Named())
    assert instructions == {"one": 4, "two": 1, USER: 3}
    assert blocks == {"one": 2, "two": 1, USER: 1}
    assert +events == {"invlpg": 2}


def test_a_block_that_was_also_translated_in_part_counts_whole():
    cut = log("one")
    cut.read(["IN: one", "0xffffffff80000010:  55                       pushq    %rbp", ""])
    assert weigh(Log(), cut, Named())[0] == {"one": 2}
