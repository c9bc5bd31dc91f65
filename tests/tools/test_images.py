"""The initrd and the boot image, made from stand-ins."""

import io
import subprocess
import sys

import pytest
from conftest import ROOT
from stoslib import cpio


@pytest.fixture
def program(tmp_path):
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-g", "-o", tmp_path / "program", source], check=True)
    return tmp_path / "program"


@pytest.fixture
def initrd(program, tmp_path):
    output = tmp_path / "initrd.cpio"
    subprocess.run(
        [sys.executable, ROOT / "tools/make_initrd.py", "--root", ROOT / "iso/root"]
        + ["--program", f"/sbin/init={program}", "--program", f"/usr/bin/cat={program}"]
        + ["--file", f"/usr/share/picture={program.with_suffix('.c')}", "-o", output],
        check=True,
    )
    return output


def test_the_initrd_has_what_a_system_needs(initrd):
    entries = {name: mode for name, mode, _ in cpio.read(io.BytesIO(initrd.read_bytes()))}
    for name in (b"bin/sh", b"bin/busybox", b"etc/passwd", b"etc/profile", b"sbin/init"):
        assert name in entries
    assert entries[b"tmp"] & 0o7777 == 0o1777
    assert {b"dev", b"proc", b"root", b"run"} <= set(entries)


def test_files_lie_where_they_were_put_and_are_not_executable(initrd):
    entries = {name: mode for name, mode, _ in cpio.read(io.BytesIO(initrd.read_bytes()))}
    assert entries[b"usr/share/picture"] & 0o7777 == 0o644


def test_our_programs_replace_the_applets_of_their_name(initrd):
    links = {name: target for name, _, target in cpio.read(io.BytesIO(initrd.read_bytes()))}
    assert links[b"bin/ls"] == b"/bin/busybox"
    assert b"bin/cat" not in links and links[b"usr/bin/cat"] == b""
    assert links[b"sbin/init"] == b""


def test_parents_come_before_what_is_in_them(initrd):
    seen = {b""}
    for name, _, _ in cpio.read(io.BytesIO(initrd.read_bytes())):
        if name != b".":
            assert name.rpartition(b"/")[0] in seen
            seen.add(name)


def test_gnu_cpio_lists_the_initrd(initrd):
    done = subprocess.run(["cpio", "-it", "--quiet"], stdin=initrd.open(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"sbin/init\n" in done.stdout


def test_the_iso_has_kernel_initrd_and_configuration(initrd, program, tmp_path):
    output = tmp_path / "out" / "stos.iso"
    output.parent.mkdir()
    subprocess.run(
        [sys.executable, ROOT / "tools/make_iso.py", "--kernel", program, "--initrd", initrd]
        + ["--config", ROOT / "iso/grub.cfg", "-o", output],
        check=True,
    )
    listing = subprocess.run(
        ["xorriso", "-indev", output, "-find", "/boot", "-type", "f"],
        capture_output=True, text=True, check=True,
    ).stdout
    for name in ("stos.elf", "initrd.cpio", "grub/grub.cfg", "grub/i386-pc/multiboot2.mod"):
        assert f"'/boot/{name}'" in listing
    assert [path.name for path in output.parent.iterdir()] == ["stos.iso"]
