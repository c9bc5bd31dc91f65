"""Unpacking what the guest sends back, also when it means harm."""

import io
import os
import tarfile

import pytest
from stoslib import guest_files


class Archive:
    def __init__(self, path):
        self.path = path
        self._tar = tarfile.open(path, "w", format=tarfile.GNU_FORMAT)

    def add(self, name, content=None, kind=tarfile.REGTYPE, link="", mode=0o640):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode, member.mtime = kind, link, mode, 1_000_000
        member.size = len(content or b"")
        self._tar.addfile(member, io.BytesIO(content or b""))

    def unpack(self, *wanted):
        self._tar.close()
        return guest_files.unpack(self.path, wanted)


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "files.tar")


def test_a_file_gets_its_final_name_and_mode(archive, tmp_path):
    archive.add("etc/x", b"content")
    host = tmp_path / "y"
    host.write_text("old")
    assert archive.unpack((b"/etc/x", bytes(host))) == []
    assert host.read_bytes() == b"content"
    assert host.stat().st_mode & 0o7777 == 0o640 and host.stat().st_mtime == 1_000_000


def test_a_folder_comes_with_links(archive, tmp_path):
    archive.add("d", kind=tarfile.DIRTYPE, mode=0o500)
    archive.add("d/a", b"a")
    archive.add("d/s", kind=tarfile.SYMTYPE, link="a")
    archive.add("d/h", kind=tarfile.LNKTYPE, link="d/a")
    host = tmp_path / "out"
    assert archive.unpack((b"/d", bytes(host))) == []
    assert (host / "s").read_text() == (host / "h").read_text() == "a"
    assert (host / "h").stat().st_ino == (host / "a").stat().st_ino
    assert host.stat().st_mode & 0o777 == 0o500
    host.chmod(0o700)


def test_what_is_missing_is_named(archive, tmp_path):
    archive.add("a", b"a")
    problems = archive.unpack((b"/a", bytes(tmp_path / "a")), (b"/b", bytes(tmp_path / "b")))
    assert problems == ["/b: not in the guest"]


def test_an_empty_stream_is_a_problem(tmp_path):
    (tmp_path / "files.tar").write_bytes(b"")
    assert guest_files.unpack(tmp_path / "files.tar", [(b"/a", bytes(tmp_path / "a"))])


def test_nothing_lands_outside(archive, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive.add("d", kind=tarfile.DIRTYPE, mode=0o755)
    archive.add("d/link", kind=tarfile.SYMTYPE, link=str(outside))
    archive.add("d/link/x", b"bad")
    archive.add("d/../../x", b"bad")
    archive.add("../x", b"bad")
    archive.add("other", b"bad")
    problems = archive.unpack((b"/d", bytes(tmp_path / "out")))
    assert len(problems) == 1 and "symbolic link" in problems[0]
    assert os.listdir(outside) == []
    assert sorted(os.listdir(tmp_path)) == ["files.tar", "out", "outside"]


def test_devices_are_left_out(archive, tmp_path):
    archive.add("d", kind=tarfile.DIRTYPE, mode=0o755)
    archive.add("d/null", kind=tarfile.CHRTYPE)
    assert len(archive.unpack((b"/d", bytes(tmp_path / "out")))) == 1
    assert os.listdir(tmp_path / "out") == []
