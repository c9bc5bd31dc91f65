"""The rows of `./stos bench`: what the program `cost` measures, what stos should reach, the table.

Nothing here runs anything. `Samples` is what one kernel's run said, by the program's row names;
`figures` turns that into one number for each row, `table` two kernels' numbers into text.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Whether MemTotal has the array in it that describes the frames. Linux takes it off, as its image.
FRAMES_IN_TOTAL = {"Linux": False, "stos": True}

# What `memory` is made of.
MEMORY_PARTS = ("memory_total_kib", "memory_free_kib", "memory_cached_kib", "memory_frames_kib")


@dataclass(frozen=True)
class Samples:
    """What the program said of one row: the ticks of each sample, of so many units."""

    units: int
    ticks: tuple[int, ...]

    @property
    def median(self) -> float:
        """Ticks of one unit, in the median sample."""
        return statistics.median(self.ticks) / self.units


@dataclass(frozen=True)
class Row:
    name: str
    text: str
    target: float | None  # what stos should reach; None where nothing is asked
    unit: str = ""  # "": instructions; "x": a ratio of two rows; "kB"
    parts: tuple[str, ...] = ()  # the program's rows it is made of; (): its own

    @property
    def needs(self) -> tuple[str, ...]:
        return self.parts or (self.name,)


def _growth(what: str, text: str, target: float) -> Row:
    parts = (f"zones_{what}_50000", f"zones_{what}_10")
    return Row(f"zones_{what}_growth", text, target, "x", parts)


ROWS = (
    Row("getppid", "getppid", 100),
    Row("mmap_munmap", "mmap+munmap, untouched page", 1_500),
    Row("mprotect_split_merge", "mprotect one page in the middle, and back", 3_000),
    Row("anon_read_fault", "anonymous read fault", 500),
    Row("anon_write_fault", "anonymous write fault", 1_100),
    Row("huge_write_fault", "the same where huge pages may be used", None),
    Row("populate", "MAP_POPULATE, each page", 800),
    Row("munmap_resident", "munmap of resident memory, each page", 150),
    Row("file_read_fault", "read fault on a cached file, each page", 150),
    Row("file_private_write", "private write to a file's page (copy)", 1_600),
    Row("file_shared_write", "shared write fault on a file's page", 700),
    Row("read_4k", "read 4 KiB from the cache", 1_000),
    Row("write_4k", "write 4 KiB to the cache", 1_200),
    Row("cow_child", "COW write after fork, child (copy)", 1_600),
    Row("cow_sole_owner", "COW write, sole owner left (reuse)", 500),
    Row("fork_exit_wait", "fork+exit+wait, small process", 30_000),
    Row("fork_exit_wait_256m", "the same with 256 MiB resident", 60_000),
    Row("fork_256m", "fork() alone, 256 MiB resident", 20_000),
    Row("fork_first_write_256m", "the child's first write after it", None),
    Row("vfork_exit", "vfork+exit+wait", 8_000),
    Row("fork_exec_wait", "fork+execve+exit+wait, static program", 120_000),
    Row("pipe_round_trip", "pipe round trip, two processes", 3_000),
    Row("mremap_in_place", "mremap in place, grow and shrink", 3_000),
    Row("zones_fault_10", "write fault with 10 zones", None),
    Row("zones_fault_1000", "write fault with 1,000 zones", None),
    Row("zones_fault_50000", "write fault with 50,000 zones", None),
    _growth("fault", "  growth from 10 to 50,000 zones", 1.2),
    Row("zones_mmap_10", "mmap+munmap with 10 zones", None),
    Row("zones_mmap_1000", "mmap+munmap with 1,000 zones", None),
    Row("zones_mmap_50000", "mmap+munmap with 50,000 zones", None),
    _growth("mmap", "  growth from 10 to 50,000 zones", 1.5),
    Row("boot", "boot to the first user instruction", 50_000_000),
    Row("memory", "memory in use after boot", 4_096, "kB", MEMORY_PARTS),
)


def parts_of(rows: Sequence[Row]) -> list[str]:
    """The program's rows that these need, each once."""
    return list(dict.fromkeys(part for row in rows for part in row.needs))


def _figure(kernel: str, row: Row, samples: Mapping[str, Samples]) -> float:
    values = [samples[part].median for part in row.needs]
    if row.unit == "x":
        return values[0] / values[1]
    if row.unit == "kB":
        total, free, cached, frames = values
        return total - free - cached - (frames if FRAMES_IN_TOTAL[kernel] else 0)
    return values[0]


def figures(kernel: str, rows: Sequence[Row], samples: Mapping[str, Samples]) -> dict[str, float]:
    """One number for each row that was measured on this kernel ("Linux" or "stos")."""
    return {
        row.name: _figure(kernel, row, samples)
        for row in rows
        if all(part in samples for part in row.needs)
    }


def number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    if unit == "x":
        return f"x{value:.2f}"
    text = f"{value / 1e6:,.2f} M" if value >= 10_000_000 else f"{value:,.0f}"
    return f"{text} {unit}".rstrip()


def _ratio(value: float | None, of: float | None) -> str:
    return "-" if value is None or not of else f"{value / of:.2f}"


def _line(row: Row, linux: float | None, stos: float | None) -> list[str]:
    reached = stos is not None and row.target is not None
    return [
        row.text,
        number(linux, row.unit),
        number(stos, row.unit),
        _ratio(stos, linux),
        number(row.target, row.unit),
        ("yes" if stos <= row.target else _ratio(stos, row.target)) if reached else "-",
    ]


HEADING = ["instructions of one unit", "Linux", "stos", "stos/Linux", "target", "reached"]


def table(rows: Sequence[Row], linux: Mapping[str, float], stos: Mapping[str, float]) -> str:
    """The table as Markdown, which is also easy on the eye. "reached" is yes, or how many times
    the target stos takes."""
    lines = [_line(row, linux.get(row.name), stos.get(row.name)) for row in rows]
    widths = [max(len(line[i]) for line in [HEADING, *lines]) for i in range(len(HEADING))]

    def formatted(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))]
        return f"| {' | '.join(cells)} |"

    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
    return "\n".join([formatted(HEADING), rule, *map(formatted, lines)])


def record(
    rows: Sequence[Row], linux: Mapping[str, float], stos: Mapping[str, float]
) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "row": row.name,
            "text": row.text.strip(),
            "unit": {"": "instructions", "x": "ratio"}.get(row.unit, row.unit),
            "linux": linux.get(row.name),
            "stos": stos.get(row.name),
            "target": row.target,
        }
        for row in rows
    ]
