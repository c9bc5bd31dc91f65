"""`trace=faults` on the kernel's command line: a line on the console for every fault."""

from session import Session

LINE = (
    r"fault: true\[\d+\] trap 14 error 0x[0-9a-f]+ cpu \d+ rip 0x[0-9a-f]+ address 0x[0-9a-f]+: "
    r"(cache hit|fresh|copy|load|zero frame)"
)


def test_a_line_per_fault():
    session = Session(["--quick", "--append", "trace=faults"], ["true"])
    try:
        session.expect(LINE)
        assert session.status() == 0
    finally:
        session.end()
