"""The archive writer, read back by our reader and by GNU cpio."""

import io
import os
import stat
import subprocess

import pytest
from stoslib import cpio


def archive(*entries: tuple[bytes, cpio.Entry]) -> bytes:
    file = io.BytesIO()
    writer = cpio.Writer(file)
    for name, entry in entries:
        writer.add(name, entry)
    writer.finish()
    return file.getvalue()


def unpack(content: bytes, folder) -> None:
    subprocess.run(["cpio", "-id", "--quiet"], input=content, cwd=folder, check=True)


def test_names_modes_and_targets_come_back():
    content = archive(
        (b"bin", cpio.Entry.folder(0o711)),
        (b"bin/x", cpio.Entry.text(b"content", 0o755)),
        (b"l", cpio.Entry.link(b"bin/x")),
    )
    assert list(cpio.read(io.BytesIO(content))) == [
        (b"bin", stat.S_IFDIR | 0o711, b""),
        (b"bin/x", stat.S_IFREG | 0o755, b""),
        (b"l", stat.S_IFLNK | 0o777, b"bin/x"),
    ]


def test_gnu_cpio_unpacks_it(tmp_path):
    big = os.urandom(70_000)
    unpack(
        archive(
            (b"d", cpio.Entry.folder(0o711)),
            (b"d/big", cpio.Entry.text(big, 0o600)),
            (b"d/small", cpio.Entry.text(b"few")),
            (b"d/empty", cpio.Entry.text(b"")),
            (b"d/link", cpio.Entry.link(b"small")),
        ),
        tmp_path,
    )
    assert (tmp_path / "d/big").read_bytes() == big
    assert (tmp_path / "d/link").read_text() == "few"
    assert (tmp_path / "d/empty").read_bytes() == b""
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o711
    assert stat.S_IMODE((tmp_path / "d/big").stat().st_mode) == 0o600


@pytest.mark.parametrize("length", [1, 2, 3, 4, 107, 108, 109, 110, 111, 255, 1000, 2000])
def test_large_data_starts_on_a_page_whatever_lies_before(length, tmp_path):
    for before in range(0, 4200, 97):
        big = b"\x7f" + os.urandom(5000)
        name = b"n" * length
        content = archive(
            (b"before", cpio.Entry.text(bytes(before))), (name, cpio.Entry.text(big))
        )
        assert content.index(big) % cpio.PAGE == 0
        names = [name for name, _, _ in cpio.read(io.BytesIO(content))]
        assert [each for each in names if each != b"."] == [b"before", name]
        longest = max(int(content[i + 94 : i + 102], 16) for i in headers(content))
        assert longest <= cpio.PAGE


def headers(content: bytes):
    at = content.find(b"070701")
    while at >= 0:
        yield at
        at = content.find(b"070701", at + 6)


def test_a_small_file_is_not_aligned():
    content = archive((b"a", cpio.Entry.text(b"x" * cpio.PAGE)))
    assert content.index(b"xxxx") < 200


def test_names_of_one_file_are_hard_links(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(9000))
    entry = cpio.Entry.host_file(source)
    entry.identity = "one"
    file = io.BytesIO()
    writer = cpio.Writer(file)
    writer.add(b"a", entry, 2)
    writer.add(b"b", entry, 2)
    writer.finish()
    (tmp_path / "out").mkdir()
    unpack(file.getvalue(), tmp_path / "out")
    a, b = (tmp_path / "out" / name for name in "ab")
    assert a.read_bytes() == b.read_bytes() == source.read_bytes()
    assert a.stat().st_ino == b.stat().st_ino


def test_a_file_that_changes_is_noticed(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"long")
    entry = cpio.Entry.host_file(source)
    source.write_bytes(b"longer")
    with pytest.raises(ValueError, match="changed"):
        archive((b"a", entry))


def test_a_truncated_archive_is_refused():
    content = archive((b"a", cpio.Entry.text(b"x")))
    with pytest.raises(ValueError):
        list(cpio.read(io.BytesIO(content[:130])))
