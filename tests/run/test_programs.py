"""Programs of the host, unmodified: our compilers' output, and busybox on a large file."""

import gzip
import hashlib
import random
import subprocess

import pytest
from command import run, shell

HELLO = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	char *copy = malloc(1 << 20);
	memset(copy, argc, 1 << 20);
	printf("hello, %s: %s, %.3f\n", argv[1], strerror(ENOENT), copy[1000] / 3.0);
	return 42;
}
"""
BUILDS = {
    "dynamic": ["gcc"],
    "no-pie": ["gcc", "-no-pie"],
    "static": ["gcc", "-static"],
    "static-pie": ["gcc", "-static-pie"],
    "musl": ["musl-gcc"],
    "musl-static": ["musl-gcc", "-static"],
}


@pytest.mark.parametrize("build", BUILDS)
def test_hello(build, tmp_path):
    (tmp_path / "hello.c").write_text(HELLO)
    hello = tmp_path / "hello"
    subprocess.run([*BUILDS[build], "-O2", "-o", hello, tmp_path / "hello.c"], check=True)
    here = subprocess.run([hello, "world"], capture_output=True)
    there = run("--add", f"{hello}:/hello", "--add-libs", hello, program=["/hello", "world"])
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout), there.stderr


def test_a_dynamic_program_of_the_system():
    there = run("--add", "/bin/bash:/bin/bash", "--add-libs", "/bin/bash",
                program=["bash", "-c", "echo $((6*7)) | cat; exit 5"])
    assert (there.returncode, there.stdout) == (5, b"42\n"), there.stderr


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """20 MiB of lines, the same every time."""
    dice = random.Random(1)
    path = tmp_path_factory.mktemp("large") / "large"
    with open(path, "w") as file:
        written = 0
        while written < 20 << 20:
            line = f"{dice.getrandbits(40):x} {dice.randrange(1000)} {dice.getrandbits(64):x}\n"
            written += file.write(line)
    return path


@pytest.fixture(scope="module")
def results(large, tmp_path_factory):
    """One boot in which busybox does all of it."""
    out = tmp_path_factory.mktemp("results")
    script = """set -e
        mkdir /out; cd /
        sha256sum large >/out/sha256sum
        sort large >/out/sort
        awk '{ sum += $2; if (length($1) > top) top = length($1) } END { print NR, sum, top }' \
            large >/out/awk
        gzip -c large >/out/gzip
        tar -cf /out/tar large
    """
    done = shell(script, "--add", f"{large}:/large", "--get", f"/out:{out}")
    assert done.returncode == 0, done.stderr
    return out


def host(command: str, large) -> bytes:
    done = subprocess.run(command, shell=True, cwd=large.parent, capture_output=True, check=True,
                          env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    return done.stdout


def test_sha256sum(results, large):
    assert (results / "sha256sum").read_bytes() == host("sha256sum large", large)


def test_sort(results, large):
    there = hashlib.sha256((results / "sort").read_bytes()).hexdigest()
    assert there == hashlib.sha256(host("sort large", large)).hexdigest()


def test_awk(results, large):
    program = "{ sum += $2; if (length($1) > top) top = length($1) } END { print NR, sum, top }"
    assert (results / "awk").read_bytes() == host(f"awk '{program}' large", large)


def test_gzip(results, large):
    assert gzip.decompress((results / "gzip").read_bytes()) == large.read_bytes()


def test_tar(results, large):
    subprocess.run(["tar", "-xf", results / "tar", "-C", results], check=True)
    assert (results / "large").read_bytes() == large.read_bytes()


@pytest.mark.parametrize("demo", [["mmapdemo", "/etc/motd"], ["cowdemo"]])
def test_demos(demo):
    """They exit non-zero if what they show is not so."""
    done = run(program=demo)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) >= 5
