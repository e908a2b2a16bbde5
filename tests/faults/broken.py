#!/usr/bin/env python3
"""Would kill.py and powercut.py notice? Builds two broken copies of the sources and demands that the quick forms fail.

    broken.py [no-sync|no-rename]…

no-sync     nothing is synced: every fsync, fdatasync and syncfs of the agent does nothing. powercut.py has to fail.
no-rename   `current` is switched by removing it and making it anew. kill.py has to fail.

The copies lie in build/broken; nothing of the checkout is touched. Ends with 1 when a broken build passes.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

FAULTS = pathlib.Path(__file__).resolve().parent
SOURCE = FAULTS.parents[1]
SCRATCH = SOURCE / "build" / "broken"
SHOWN = 25  # lines of a program's output

SYNC = re.compile(r"::(fsync|fdatasync|syncfs)\(")
SWITCH = "  make_link(temporary, target);\n  rename(temporary, path);\n"
SWITCH_BROKEN = "  remove_file(path);\n  make_link(path, target);\n"


def without_sync(copy):
    changed = 0
    for file in sorted((copy / "core" / "agent").glob("*.cc")) + [copy / "core/base/files.cc"]:
        text, count = SYNC.subn("::getpid() * 0 * (", file.read_text())
        if count:
            file.write_text("#include <unistd.h>\n" + text)
            changed += count
    return changed


def without_rename(copy):
    file = copy / "core/agent/beneath.cc"
    text = file.read_text()
    file.write_text(text.replace(SWITCH, SWITCH_BROKEN))
    return text.count(SWITCH)


BUILDS = {"no-sync": (without_sync, "powercut.py"), "no-rename": (without_rename, "kill.py")}


def copy_sources(copy):
    listed = subprocess.run(["git", "ls-files", "-z", "--", "CMakeLists.txt", "cmake", "core", "plugins", "sdk"],
                            cwd=SOURCE, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    shutil.rmtree(copy, ignore_errors=True)
    for name in filter(None, listed):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SOURCE / name, copy / name)


def build(name, spoil):
    copy, folder = SCRATCH / name / "source", SCRATCH / name / "build"
    copy_sources(copy)
    changed = spoil(copy)
    if not changed:
        sys.exit("%s: the sources have nothing any more of what is to be broken" % name)
    print("%s: %d places broken" % (name, changed), flush=True)
    env = dict(os.environ, CCACHE_BASEDIR=str(copy), CCACHE_NOHASHDIR="1")
    for command in (["cmake", "-G", "Ninja", "-S", str(copy), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release",
                     "-DPORTER_BUILD_TESTS=OFF"],
                    ["cmake", "--build", str(folder), "--target", "porter-admin", "porter-agent"]):
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    return folder


def notices(folder, program):
    env = dict(os.environ, PORTER_BUILD_FOLDER=str(folder), PORTER_ADMIN=str(folder / "bin/porter-admin"))
    done = subprocess.run([sys.executable, "-B", str(FAULTS / program)], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    failures = [line for line in lines if line.startswith("FAILED")]
    print("\n".join(failures[:SHOWN] + lines[-3:]), flush=True)
    if done.returncode == 77:
        sys.exit("%s: SKIPPED, and so nothing is shown" % program)
    return done.returncode == 1 and bool(failures)


def main():
    passed = []
    for name in sys.argv[1:] or BUILDS:
        spoil, program = BUILDS[name]
        found = notices(build(name, spoil), program)
        print("%s: %s %s\n" % (name, program, "fails, as it has to" if found else "PASSES, and must not"), flush=True)
        passed += [] if found else [name]
    sys.exit(1 if passed else 0)


if __name__ == "__main__":
    main()
