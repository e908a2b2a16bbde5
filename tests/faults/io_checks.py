"""What the programs about readers, contenders, disks and networks share: how they are run, and an oracle that
knows nothing of porter's own formats. It compares what lies on the target with what was to be deployed.

Every program has a quick form, which runs with the tests, and a long one: `--long`.
"""

import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import porter  # noqa: E402

LONG = "--long" in sys.argv
SKIPPED_ALL = 77

F_OFD_GETLK = 36
FLOCK = "hhqqi"  # struct flock: type, whence, start, length, pid


def sums(folder):
    """Content of every file below a folder, by path."""
    return porter.file_sums(folder)


def complete_releases(site):
    """Ids that the target lists as releases: sealed, with a folder."""
    sealed = set(os.listdir(site / ".porter/manifests"))
    return sorted(sealed & set(os.listdir(site / "releases")))


def verdict(site, known):
    """The name, in `known` (a dict of name → sums), of the tree that is live; fails for anything else, and for no
    live tree at all: "none" has to be among the known names then."""
    current = site / "current"
    if not os.path.lexists(current):
        live = "none"
        found = None
    else:
        found = sums(current)
        live = next((name for name, tree in known.items() if tree == found), "something else")
    if live not in known:
        raise AssertionError("live is %s, allowed are %s: %s" % (live, sorted(known), found))
    return live


def lock_is_held(site):
    """Asks the kernel about the site's lock; takes nothing."""
    try:
        fd = os.open(site / ".porter/lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        ask = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return struct.unpack(FLOCK, fcntl.fcntl(fd, F_OFD_GETLK, ask))[0] != fcntl.F_UNLCK
    finally:
        os.close(fd)


def has_command(name):
    help_text = subprocess.run([porter.ADMIN, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
    return any(line.split()[:1] == [name] for line in help_text.splitlines())


def has_option(command, option):
    help_text = subprocess.run([porter.ADMIN, command, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
    return option in help_text


def program(name):
    """A helper that CMake built beside the tests."""
    return str(porter.BUILD / "tests" / name)


def strace():
    return shutil.which("strace")


def say(text):
    print(text, flush=True)


def main():
    """unittest's main with --long, loud skips, and exit 77 when nothing at all could be tried."""
    if not os.access(porter.ADMIN, os.X_OK):
        sys.exit("no porter-admin at %s" % porter.ADMIN)
    arguments = [each for each in sys.argv if each != "--long"]
    run = unittest.main(module="__main__", argv=arguments, verbosity=2, exit=False)
    skipped = run.result.skipped
    for test, reason in skipped:
        print("SKIPPED %s: %s" % (test, reason), file=sys.stderr)
    print("%s form: %d run, %d skipped" % ("long" if LONG else "quick", run.result.testsRun, len(skipped)),
          file=sys.stderr)
    if not run.result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED_ALL if run.result.testsRun and len(skipped) >= run.result.testsRun else 0)
