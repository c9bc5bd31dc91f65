"""Pictures on the screen: imshow draws, QEMU's own screen dump is compared pixel by pixel."""

import json
import random
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from session import Session

WIDTH, HEIGHT = 1024, 768
BLACK = b"\0\0\0"
BOOTS = {"iso": [], "quick": ["--quick"]}


@dataclass
class Picture:
    """`samples` as the file has them, row by row; `rgb` as 8 bits each, as the screen shows it."""

    width: int
    height: int
    largest: int
    samples: list[int]

    @property
    def rgb(self) -> bytes:
        return bytes((s * 255 + self.largest // 2) // self.largest for s in self.samples)

    def binary(self) -> bytes:
        head = b"P6\n# a comment\n%d %d\n%d\n" % (self.width, self.height, self.largest)
        if self.largest < 256:
            return head + bytes(self.samples)
        return head + b"".join(s.to_bytes(2, "big") for s in self.samples)

    def text(self) -> bytes:
        head = f"P3 {self.width} # wide\n{self.height}\n{self.largest}\n"
        return (head + "\n".join(map(str, self.samples))).encode()

    def shown(self, scale: bool = False) -> bytes:
        """The whole screen with the picture in its middle, on black."""
        width, height, rgb = self.width, self.height, self.rgb
        if scale and width * HEIGHT >= height * WIDTH:
            width, height = WIDTH, max(1, height * WIDTH // width)
        elif scale:
            width, height = max(1, width * HEIGHT // height), HEIGHT
        left, top = int((WIDTH - width) / 2), int((HEIGHT - height) / 2)
        columns = [(x - left) * self.width // width if left <= x < left + width else None
                   for x in range(WIDTH)]
        screen = bytearray()
        for y in range(HEIGHT):
            if not top <= y < top + height:
                screen += BLACK * WIDTH
                continue
            at = (y - top) * self.height // height * self.width
            screen += b"".join(
                BLACK if x is None else rgb[3 * (at + x) : 3 * (at + x) + 3] for x in columns)
        return bytes(screen)


def make(width: int, height: int, largest: int) -> Picture:
    dice = random.Random(width * height)
    row = [dice.randint(0, largest) for _ in range(3 * width + 97)]
    samples = [s for y in range(height) for s in row[y % 97 : y % 97 + 3 * width]]
    return Picture(width, height, largest, samples)


PICTURES = {
    "dot": make(1, 1, 255),
    "odd": make(323, 211, 255),
    "exact": make(WIDTH, HEIGHT, 255),
    "large": make(1157, 801, 65535),
    "wide": make(2001, 3, 77),
    "tall": make(2, 1501, 1),
}
CASES = [(name, option) for name in PICTURES for option in ("", "--scale")]


class Screen:
    """QEMU's view of the guest's screen, asked for by QMP."""

    def __init__(self, folder: Path):
        self._path = folder / "qmp"
        self._dump = folder / "dump.ppm"
        self.options = ["--qemu", f"-qmp unix:{self._path},server=on,wait=off"]
        self._stream = None

    def _ask(self, command: str, **arguments: str) -> dict:
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        for line in self._stream:
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer
        raise EOFError("QEMU has closed its monitor")

    def connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._path))
        self._stream = self._socket.makefile("rw")
        assert "return" in self._ask("qmp_capabilities")

    def pixels(self) -> bytes:
        assert "return" in self._ask("screendump", filename=str(self._dump))
        head = b"P6\n%d %d\n255\n" % (WIDTH, HEIGHT)
        dump = self._dump.read_bytes()
        assert dump.startswith(head), dump[:40]
        return dump[len(head) :]

    def expect(self, wanted: bytes) -> None:
        found = self.pixels()
        if found == wanted:
            return
        at = next(i for i in range(0, len(wanted), 3) if found[i : i + 3] != wanted[i : i + 3])
        x, y = at // 3 % WIDTH, at // 3 // WIDTH
        pytest.fail(f"pixel {x}, {y} is {found[at:at + 3].hex()}, not {wanted[at:at + 3].hex()}")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What goes into the guest as /pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in PICTURES.items():
        (folder / f"{name}.ppm").write_bytes(picture.binary())
    (folder / "text.ppm").write_bytes(PICTURES["odd"].text())
    (folder / "cut.ppm").write_bytes(PICTURES["odd"].binary()[:-1])
    (folder / "other").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "damaged.ppm").write_bytes(b"P6\n-3 2\n255\nxxx")
    source = folder / "blank.c"
    source.write_text(
        "#include <fcntl.h>\n#include <linux/fb.h>\n#include <stdlib.h>\n#include <sys/ioctl.h>\n"
        "int main(int count, char **arguments)\n{\n"
        '\tint fd = open("/dev/fb0", O_RDWR);\n'
        '\treturn count != 2 || ioctl(fd, FBIOBLANK, atoi(arguments[1]));\n}\n')
    subprocess.run(["gcc", "-static", "-o", folder / "blank", source], check=True)
    return folder


@pytest.fixture(scope="module", params=BOOTS)
def guest(request, files, tmp_path_factory):
    """A shell and its screen, booted both ways."""
    screen = Screen(tmp_path_factory.mktemp("screen"))
    shell = Session([*BOOTS[request.param], *screen.options, "--add", f"{files}:/pictures"])
    try:
        shell.await_prompt()
        screen.connect()
        yield shell, screen
    finally:
        shell.end()


def status(shell: Session, line: str) -> str:
    return shell.run(f"{line}; echo status $?")


@pytest.mark.parametrize("way", ["", "--write"])
@pytest.mark.parametrize(("name", "option"), CASES)
def test_every_pixel(guest, name, option, way):
    shell, screen = guest
    other = "dot" if name == "exact" else "exact"
    shell.run(f"imshow /pictures/{other}.ppm")
    assert status(shell, f"imshow {option} {way} /pictures/{name}.ppm") == "status 0\n"
    screen.expect(PICTURES[name].shown(option == "--scale"))


def test_text_and_pipes(guest):
    shell, screen = guest
    shell.run("imshow /pictures/exact.ppm")
    assert status(shell, "imshow /pictures/text.ppm") == "status 0\n"
    screen.expect(PICTURES["odd"].shown())
    assert status(shell, "cat /pictures/tall.ppm | imshow /dev/stdin") == "status 0\n"
    screen.expect(PICTURES["tall"].shown())


def test_the_test_card(guest):
    shell, screen = guest
    assert status(shell, "imshow --scale /usr/share/testcard.ppm") == "status 0\n"
    white = b"\xff" * 3
    assert screen.pixels()[:3] == screen.pixels()[-3:] == white


def test_the_file_is_the_screen(guest):
    """Byte for byte: blue, green, red and a spare one."""
    shell, screen = guest
    shell.run("imshow /pictures/exact.ppm && cp /dev/fb0 /tmp/saved")
    assert status(shell, "cat /dev/zero >/dev/fb0").endswith("No space left on device\nstatus 1\n")
    screen.expect(BLACK * WIDTH * HEIGHT)
    assert status(shell, "cat /tmp/saved >/dev/fb0; rm /tmp/saved") == "status 0\n"
    screen.expect(PICTURES["exact"].shown())


def test_blanking(guest):
    shell, screen = guest
    shell.run("imshow /pictures/odd.ppm")
    assert status(shell, "/pictures/blank 4") == "status 0\n"
    assert set(screen.pixels()) == {0}
    assert status(shell, "/pictures/blank 0") == "status 0\n"
    screen.expect(PICTURES["odd"].shown())


ERRORS = {
    "/nothing": (1, "imshow: /nothing: No such file or directory"),
    "/pictures": (1, "imshow: /pictures: Is a directory"),
    "/pictures/other": (1, "not a PPM picture"),
    "/dev/null": (1, "not a PPM picture"),
    "/pictures/damaged.ppm": (1, "header is damaged"),
    "/pictures/cut.ppm": (1, "picture is truncated"),
    "": (2, "usage: imshow"),
    "--wrong /pictures/dot.ppm": (2, "usage: imshow"),
    "/pictures/dot.ppm /pictures/odd.ppm": (2, "usage: imshow"),
    "--help": (0, "usage: imshow"),
}


@pytest.mark.parametrize("arguments", ERRORS)
def test_errors_leave_the_screen_alone(guest, arguments):
    shell, screen = guest
    shell.run("imshow /pictures/odd.ppm")
    wanted, text = ERRORS[arguments]
    output = status(shell, f"imshow {arguments}")
    assert text in output and output.endswith(f"status {wanted}\n")
    screen.expect(PICTURES["odd"].shown())


@pytest.mark.parametrize("way", BOOTS)
def test_without_a_display(boot, way):
    shell = boot(*BOOTS[way], "--qemu", "-vga none")
    shell.await_prompt()
    assert "No such file" in shell.run("ls /dev/fb0")
    output = status(shell, "imshow /usr/share/testcard.ppm")
    assert "no display" in output and output.endswith("status 1\n")


def test_an_adapter_without_vga(boot, files, tmp_path):
    screen = Screen(tmp_path)
    screen.options[1] += " -vga none -device bochs-display"
    shell = boot("--quick", *screen.options, "--add", f"{files}:/pictures")
    shell.await_prompt()
    screen.connect()
    assert status(shell, "imshow /pictures/large.ppm") == "status 0\n"
    screen.expect(PICTURES["large"].shown())
    assert status(shell, "/pictures/blank 4") == "status 1\n"  # nothing there can blank


def test_display_option(boot, tmp_path):
    path = tmp_path / "vnc"
    boot("--quick", "--display", f"vnc=unix:{path}").await_prompt()
    with socket.socket(socket.AF_UNIX) as viewer:
        viewer.connect(str(path))
        assert viewer.recv(4) == b"RFB "
