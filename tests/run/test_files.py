"""--add, --add-libs and --get, with real files."""

import os
import stat

import pytest
from command import run, shell


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "a").write_bytes(os.urandom(10_000))
    os.link(tree / "a", tree / "sub" / "hard")
    (tree / "soft").symlink_to("a")
    (tree / "run").write_text("#!/bin/sh\necho ran $*\n")
    (tree / "run").chmod(0o755)
    (tree / "sub").chmod(0o711)
    return tree


def test_what_goes_in_comes_out(tree, tmp_path):
    out = tmp_path / "out"
    done = run("--add", f"{tree}:/new/place", "--get", f"/new/place:{out}", program=["true"])
    assert done.returncode == 0, done.stderr
    assert (out / "a").read_bytes() == (tree / "a").read_bytes()
    assert os.readlink(out / "soft") == "a"
    assert (out / "a").stat().st_ino == (out / "sub" / "hard").stat().st_ino
    assert stat.S_IMODE((out / "sub").stat().st_mode) == 0o711
    assert stat.S_IMODE((out / "run").stat().st_mode) == 0o755


def test_owner_modes_and_links_in_the_guest(tree):
    done = shell("cd /p; stat -c '%n %a %u:%g %h' a sub run; readlink soft; ./run x",
                 "--add", f"{tree}:/p")
    assert done.stdout.decode().splitlines() == [
        "a 644 0:0 2", "sub 711 0:0 2", "run 755 0:0 1", "a", "ran x",
    ]


def test_later_wins_and_folders_merge(tree, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").write_text("other\n")
    done = shell("cat /p/a; ls /p; stat -c %a /tmp",
                 "--add", f"{tree}:/p", "--add", f"{tmp_path}/other:/p",
                 "--add", f"{tmp_path}/other:/tmp")
    assert done.stdout.decode().split() == ["other", "a", "run", "soft", "sub", "1777"]


def test_a_file_of_the_initrd_is_replaced(tmp_path):
    (tmp_path / "ls").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "ls").chmod(0o755)
    done = shell("/bin/ls; cat /bin/busybox | wc -c", "--add", f"{tmp_path}/ls:/bin/ls")
    mine, size = done.stdout.split()
    assert mine == b"mine" and int(size) == os.path.getsize("/bin/busybox")


def test_hundreds_of_megabytes(tmp_path):
    big = tmp_path / "big"
    with open(big, "wb") as file:
        for i in range(300):
            file.write(i.to_bytes(2, "big") * (1 << 19))
    done = shell("ls -l /big; tail -c 2 /big | od -An -tx1; cp /big /copy; rm /copy",
                 "--add", f"{big}:/big")
    assert done.returncode == 0, done.stderr
    assert str(300 << 20).encode() in done.stdout and b"01 2b" in done.stdout


def test_get_of_what_is_not_there(tmp_path):
    assert run("--get", f"/nothing:{tmp_path}/x", program=["true"]).returncode == 125
    assert run("--get", f"/nothing:{tmp_path}/x", program=["false"]).returncode == 1


def test_get_after_a_signal(tmp_path):
    done = shell("echo kept >/f; kill -9 $$", "--get", f"/f:{tmp_path}/f")
    assert done.returncode == 137
    assert (tmp_path / "f").read_text() == "kept\n"


def test_add_that_does_not_fit():
    done = shell("true", "--add", "/etc/passwd:/etc")
    assert done.returncode == 125 and b"folder" in done.stderr
