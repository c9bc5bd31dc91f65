"""What --add composes, in view of the files the guest already has."""

import io
import os
import stat

import pytest
from stoslib import cpio, overlay
from stoslib.outcome import Failure


@pytest.fixture
def initrd(tmp_path):
    path = tmp_path / "initrd.cpio"
    with open(path, "wb") as file:
        writer = cpio.Writer(file)
        writer.add(b"etc", cpio.Entry.folder())
        writer.add(b"etc/passwd", cpio.Entry.text(b"root"))
        writer.add(b"tmp", cpio.Entry.folder(0o1777))
        writer.add(b"usr", cpio.Entry.folder())
        writer.add(b"usr/lib", cpio.Entry.folder())
        writer.add(b"lib", cpio.Entry.link(b"usr/lib"))
        writer.add(b"loop", cpio.Entry.link(b"loop"))
        writer.finish()
    return path


def written(added: overlay.Overlay, tmp_path) -> list[tuple[bytes, int, bytes]]:
    added.write(tmp_path / "overlay.cpio")
    return list(cpio.read(io.BytesIO((tmp_path / "overlay.cpio").read_bytes())))


def names(added: overlay.Overlay, tmp_path) -> list[bytes]:
    return [name for name, _, _ in written(added, tmp_path) if name != b"."]


@pytest.fixture
def host_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o755)
    return os.fsencode(path)


def test_missing_parents_are_made_and_present_ones_left_alone(initrd, host_file, tmp_path):
    added = overlay.Overlay(initrd)
    added.add(host_file, b"/etc/a/b/file")
    assert names(added, tmp_path) == [b"etc/a", b"etc/a/b", b"etc/a/b/file"]


def test_modes_are_kept(initrd, host_file, tmp_path):
    added = overlay.Overlay(initrd)
    added.add(host_file, b"/x")
    assert written(added, tmp_path)[0][1] == stat.S_IFREG | 0o755


def test_a_parent_that_is_a_link_is_followed(initrd, host_file, tmp_path):
    added = overlay.Overlay(initrd)
    added.add(host_file, b"/lib/sub/x")
    assert names(added, tmp_path) == [b"usr/lib/sub", b"usr/lib/sub/x"]


def test_a_link_that_is_the_last_name_is_replaced(initrd, host_file, tmp_path):
    added = overlay.Overlay(initrd)
    added.add(host_file, b"/lib")
    assert written(added, tmp_path) == [(b"lib", stat.S_IFREG | 0o755, b"")]


def test_the_later_one_wins(initrd, host_file, tmp_path):
    added = overlay.Overlay(initrd)
    added.add(host_file, b"/x")
    added.add_text(b"/x", b"later")
    added.write(tmp_path / "overlay.cpio")
    content = (tmp_path / "overlay.cpio").read_bytes()
    assert b"later" in content and b"content" not in content


def test_folders_merge(initrd, host_file, tmp_path):
    for folder, name in (("one", "a"), ("two", "b")):
        (tmp_path / folder / "sub").mkdir(parents=True)
        (tmp_path / folder / "sub" / name).write_text(folder)
    added = overlay.Overlay(initrd)
    added.add(os.fsencode(tmp_path / "one"), b"/tmp")
    added.add(os.fsencode(tmp_path / "two"), b"/tmp")
    assert names(added, tmp_path) == [b"tmp/sub", b"tmp/sub/a", b"tmp/sub/b"]


def test_links_stay_links_and_hard_links_one_file(initrd, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("a")
    os.link(tree / "a", tree / "b")
    (tree / "s").symlink_to("nowhere")
    added = overlay.Overlay(initrd)
    added.add(os.fsencode(tree), b"/tree")
    entries = {name: (mode, target) for name, mode, target in written(added, tmp_path)}
    assert entries[b"tree/s"] == (stat.S_IFLNK | 0o777, b"nowhere")
    content = (tmp_path / "overlay.cpio").read_bytes()
    inodes = [content[content.index(name) - 104 :][:8] for name in (b"tree/a\0", b"tree/b\0")]
    assert inodes[0] == inodes[1]


def test_the_root_can_be_added_to(initrd, tmp_path):
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "tree" / "etc" / "new").write_text("new")
    added = overlay.Overlay(initrd)
    added.add(os.fsencode(tmp_path / "tree"), b"/")
    assert names(added, tmp_path) == [b"etc/new"]


@pytest.mark.parametrize("guest", [b"/etc", b"/etc/passwd/x", b"/loop/x"])
def test_what_does_not_fit_is_an_error(initrd, host_file, guest):
    with pytest.raises(Failure):
        overlay.Overlay(initrd).add(host_file, guest)


def test_a_folder_does_not_replace_a_file(initrd, tmp_path):
    (tmp_path / "tree").mkdir()
    with pytest.raises(Failure):
        overlay.Overlay(initrd).add(os.fsencode(tmp_path / "tree"), b"/etc/passwd")


def test_the_job_carries_any_bytes():
    job = overlay.job([("stdin", b"port")], [b"a b", b"", b"\xff\n"])
    assert job == b"stdin=port\0\0a b\0\0\xff\n\0"
