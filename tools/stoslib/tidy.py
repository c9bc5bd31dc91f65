"""The small verbs: `iso` and `clean`."""

import argparse
import os
import shutil

from . import build, packages, run_folder
from .layout import BUILD, RUNS, VARIANTS
from .outcome import Outcome


def make_iso(wanted: argparse.Namespace) -> Outcome:
    variant = VARIANTS[wanted.variant]
    with build.exclusively() as descriptor:
        packages.ensure(packages.BUILD)
        build.kernel(variant, descriptor)
    print(variant.iso)
    return Outcome("exit", 0)


def clean(_wanted: argparse.Namespace) -> Outcome:
    """Remove build/. Runs that are alive keep their folders; they hold all that they use."""
    if not BUILD.exists():
        return Outcome("exit", 0)
    with build.exclusively():
        alive = run_folder.remove_dead()
        for path in BUILD.iterdir():
            if path in (build.LOCK, RUNS) and (alive or path == build.LOCK):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if not alive:
            os.unlink(build.LOCK)
            BUILD.rmdir()
    return Outcome("exit", 0)
