#!/usr/bin/env python3
"""Runs the examples of README.md and docs/*.md with the porter-admin that was built.

    run_examples.py BUILD_FOLDER [DOCUMENT…]     runs the examples
    run_examples.py BUILD_FOLDER --self-check    shows that wrong examples are noticed

What counts as an example, by the words behind the fence:

    ```console            lines with `$ ` are run, the lines below are what they print (stdout and stderr together).
                          `…` stands for anything within a line; alone on a line, for any number of lines. A command
                          must succeed, unless the next one is `echo $?`. All blocks of a document go on in one session:
                          a fresh HOME, a fresh folder, the built programs on PATH.
    ```ini                with a first line `; FILE`: loaded as this file of a project that is otherwise minimal.
    ```cpp FILE           of README.md: a source with PORTER_DEPLOYMENT is deployed as a module's hook, one with
                          PORTER_PLUGIN is built with the SDK's headers and deployed as a plugin.

Prints what is wrong and ends with 1; without mistakes it ends with 0.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


class Block:
    def __init__(self, document, line, words, text):
        self.place = f"{document}:{line}"
        self.kind = words[0] if words else ""
        self.words = words
        self.lines = text

    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks_of(document, text):
    """All fenced blocks; a fence may be indented, as in a list."""
    found, fence, indent, begun = [], None, 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"^(\s*)```(.*)$", line)
        if mark and fence is None:
            fence, indent, begun, lines = mark[2].split(), len(mark[1]), number, []
        elif mark and not mark[2].strip():
            found.append(Block(document, begun, fence, lines))
            fence = None
        elif fence is not None:
            lines.append(line[indent:])
    return found


# --- console ---


def matches(expected, printed):
    """Whether the lines printed are those expected, with `…` for anything."""
    if not expected:
        return not printed
    if expected[0].strip() == "…":
        return any(matches(expected[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    if not printed:
        return False
    pattern = ".*".join(re.escape(piece) for piece in expected[0].rstrip().split("…"))
    return bool(re.fullmatch(pattern, printed[0].rstrip())) and matches(expected[1:], printed[1:])


def commands_of(block):
    """Pairs of a command and the lines below it."""
    found = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block.place}: a console example begins with `$ `")
    return found


class Session:
    """A user with an empty home folder and a shell."""

    def __init__(self, build, folder):
        self.folder = Path(folder)
        self.home = self.folder / "home"
        self.home.mkdir()
        self.here = self.folder / "work"
        self.here.mkdir()
        self.status = 0
        self.environment = {"HOME": str(self.home), "PATH": f"{build}/bin:/usr/local/bin:/usr/bin:/bin",
                            "LC_ALL": "C.UTF-8", "USER": "ann", "NO_COLOR": "1", "TERM": "dumb"}
        if "CXX" in os.environ:
            self.environment["CXX"] = os.environ["CXX"]

    def run(self, command):
        """The lines printed; the status and the working folder are kept for the next command."""
        note = self.folder / "pwd"
        script = f"cd -- \"$1\" || exit 99; note=$2; (exit {self.status})\n{command}\n" \
                 "status=$?; pwd >\"$note\"; exit $status"
        done = subprocess.run(["bash", "-c", script, "bash", str(self.here), str(note)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment, timeout=SECONDS,
                              check=False)
        self.status = done.returncode
        if note.exists():
            self.here = Path(note.read_text(encoding="utf-8").strip())
        return done.stdout.decode("utf-8", "replace").splitlines()


def run_console(block, session):
    commands = commands_of(block)
    for at, (command, expected) in enumerate(commands):
        printed = session.run(command)
        asked = at + 1 < len(commands) and commands[at + 1][0] == "echo $?"
        if session.status != 0 and not asked:
            return [f"{block.place}: `{command}` ended with {session.status}:\n  " + "\n  ".join(printed)]
        if not matches(expected, printed):
            return [f"{block.place}: `{command}` printed\n  " + "\n  ".join(printed) + "\nand not\n  "
                    + "\n  ".join(expected)]
    return []


# --- ini ---


PROJECT = """[project]
name = Example
[hosts]
testing = local:
production = deploy@production.example.org
laptop = local:
[config:testing]
hosts = testing
[config:production]
hosts = production
"""


def name_of_ini(block):
    first = block.lines[0] if block.lines else ""
    found = re.match(r"^; (\S+\.ini)\b", first)
    return found[1] if found else None


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def module_names(project_text, module_text):
    found = []
    for text in (project_text, module_text):
        for line in re.findall(r"^depends\s*=([^;\n]*)", text, re.M):
            found += [name.strip() for name in line.split(",") if name.strip()]
    return found


def mapped_folders(text):
    """[modules] of a project.ini: name → folder."""
    section = re.search(r"^\[modules\]\n(.*?)(?=^\[|\Z)", text, re.S | re.M)
    pairs = (line.partition("=") for line in (section[1].splitlines() if section else []))
    return {key.strip(): value.split(";")[0].strip() for key, _, value in pairs if value}


def run_ini(block, session):
    name = name_of_ini(block)
    folder = session.here / "project"
    shutil.rmtree(folder, ignore_errors=True)
    module_text = "" if name == "project.ini" else block.text()
    project = block.text() if name == "project.ini" else PROJECT
    if name != "project.ini":
        project = project.replace("name = Example", f"name = Example\ndepends = {Path(name).parent}")
        if "[module]" not in module_text:  # a part of one
            module_text += "\n[module]\npath = /srv/example/module\n"
        write(folder / name, module_text)
        for source in re.findall(r"^\[config_files\]\n((?:(?!\[).*\n)*)", module_text, re.M):
            for line in source.splitlines():
                wanted = line.split(";")[0].partition("=")[2].strip()
                if wanted:
                    write(folder / Path(name).parent / "config/testing" / wanted, "x\n")
    write(folder / "project.ini", project)
    mapped = mapped_folders(project)
    for module in [*module_names(project, module_text), *mapped]:
        place = mapped.get(module, module)
        if not (folder / place / f"{Path(place).name}.ini").exists():
            write(folder / place / f"{Path(place).name}.ini", f"[module]\npath = /srv/example/{module}\n")
    session.here = folder
    printed = session.run("porter-admin hosts")
    session.here = folder.parent
    return [] if session.status == 0 else [f"{block.place}: {name} is not accepted:\n  " + "\n  ".join(printed)]


# --- cpp ---


def run_cpp(block, session, build):
    text = block.text()
    plugin = re.search(r'PORTER_PLUGIN\(\s*\w+,\s*"([^"]+)"', text)
    folder = session.here / "example"
    shutil.rmtree(folder, ignore_errors=True)
    made = session.run("porter-admin create-project example")
    if session.status != 0:
        return [f"{block.place}: " + "\n".join(made)]
    command = "porter-admin deploy --config testing"
    if plugin:
        write(session.here / block.words[1], text)
        compiler = session.environment.get("CXX", "c++")
        built = session.run(f"mkdir -p plugins && {compiler} -std=c++20 -Wall -Wextra -Werror -shared -fPIC"
                            f" -I{build}/include {block.words[1]} -o plugins/{plugin[1]}.so")
        if session.status != 0:
            return [f"{block.place}: does not compile:\n  " + "\n  ".join(built)]
        with open(folder / "web/web.ini", "a", encoding="utf-8") as ini:
            ini.write(f"\n[plugin:{plugin[1]}]\n")
        command += f" --plugin-path {session.here}/plugins"
    else:
        write(folder / "web/deployment.cpp", text)
        for name in re.findall(r'copy_config_file\(\w+, "([^"]+)"', text):
            write(folder / "web/config/testing" / name, "x\n")
    session.here = folder
    printed = session.run(command + " -v")
    session.here = folder.parent
    wanted = plugin[1] if plugin else "web/deployment.so"
    if session.status != 0 or not any(f"handled by {wanted}" in line for line in printed):
        return [f"{block.place}: the example does not do its work (exit {session.status}):\n  " + "\n  ".join(printed)]
    return []


# --- documents ---


def run_document(name, text, build):
    faults = []
    blocks = blocks_of(name, text)
    with tempfile.TemporaryDirectory() as folder:
        session = Session(build, folder)
        for block in blocks:
            if block.kind == "console":
                faults += run_console(block, session)
    for block in blocks:
        wanted = (block.kind == "ini" and name_of_ini(block)) or \
                 (block.kind == "cpp" and len(block.words) > 1 and name.startswith("README"))
        if not wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            session = Session(build, folder)
            faults += run_ini(block, session) if block.kind == "ini" else run_cpp(block, session, build)
    return faults, len(blocks)


def self_check(build):
    wrong = [
        "```console\n$ echo a\nb\n```\n",
        "```console\n$ echo a\n```\n",
        "```console\n$ echo a\na\nb\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ false\n$ echo $?\n0\n```\n",
        "```console\n$ printf 'a\\nb\\n'\na…\n```\n",
        "```ini\n; project.ini\n[project]\nname = x\nnonsense = y\n```\n",
        "```ini\n; web/web.ini\n[module]\npath = /srv/x\nlayout = sideways\n```\n",
        "```cpp deployment.cpp\n#include <porter/porter.h>\nPORTER_DEPLOYMENT { nonsense; }\n```\n",
        "```cpp a.cc\n#include <porter/porter.h>\nnonsense PORTER_PLUGIN(A, \"acme.a\", \"1\", \"a\")\n```\n",
    ]
    right = [
        "```console\n$ printf 'a\\nb\\nc\\nd\\n'\na\n…\nd\n```\n",
        "```console\n$ cd /\n$ echo one two\none …\n$ pwd\n/\n$ false\n$ echo $?\n1\n```\n",
        "1. x\n   ```console\n   $ mkdir y && cd y\n   $ basename $PWD\n   y\n   ```\n",
        "```ini\n; project.ini\n[project]\nname = x\ndepends = a, b\n[modules]\na = deep/a\n```\n",
    ]
    faults = []
    for text in right:
        faults += [f"a right example is refused: {found}" for found in run_document("README.md", text, build)[0]]
    for text in wrong:
        if not run_document("README.md", text, build)[0]:
            faults.append(f"a wrong example is not noticed:\n{text}")
    return faults


def main():
    build = Path(sys.argv[1]).resolve()
    if "--self-check" in sys.argv[2:]:
        faults = self_check(build)
    else:
        documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
        names = sys.argv[2:] or [str(path.relative_to(ROOT)) for path in documents]
        faults, count = [], 0
        for name in names:
            found, blocks = run_document(name, (ROOT / name).read_text(encoding="utf-8"), build)
            faults += found
            count += blocks
        if count == 0:
            faults.append("there are no examples at all")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
