#!/usr/bin/env python3
"""Holds the sources against the plan of floors (docs/architecture.md) and against a few promises.

    scripts/check-layers.py [FOLDER]     checks the checkout at FOLDER (default: this one)

Prints one line a fault, `file:line: what is wrong`, and ends with 1; without faults it ends with 0.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

# A room may use the rooms of lower floors, and on its own floor only what SAME_FLOOR lists.
FLOORS = [
    {"sdk"},
    {"base"},
    {"settings", "protocol", "sync", "bus", "event"},
    {"transport", "agent", "http", "packages", "plugin"},
    {"source", "endpoint", "inventory"},
    {"engine", "hub"},
    {"cli"},
    {"apps"},
]
SAME_FLOOR: set[tuple[str, str]] = set()
# Rooms that may use less than their floor allows.
ONLY = {
    "agent": {"base", "protocol", "sync"},
    "sdk": set(),
}
# A plugin may use the SDK, these rooms (linked in hidden), and base, on which they stand.
PLUGIN_ROOMS = {"sdk", "base", "http", "inventory", "packages"}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# What does which job: the folder, what a file there includes and calls, and where alone it may be included.
# A job whose file `once` names begins to count when that file is there.
JOBS = [
    # job, folder, include, use, owners, once
    ("signals", "core/bus", r"boost/signals2", r"\bsignals2::", ["core/bus"], None),
    ("loading of plugins", "core/plugin", r"boost/dll", r"\bboost::dll::|\bdll::", ["core/plugin"], None),
    ("transport", "core/transport", r"libssh/", r"\bssh_\w+\(", ["core/transport", "tests/unit/transport"], "core/transport/ssh_transport.cc"),
    ("delta", "core/sync", r"librsync\.h", r"\brs_\w+\(", ["core/sync"], "core/sync/delta.cc"),
    ("ini", "core/settings", r"ini\.h", r"\bini_parse\w*\(", ["core/settings"], None),
    ("json of reports", "core/inventory", r"nlohmann/json", r"\bnlohmann::", None, None),
    ("json of events", "core/event", r"nlohmann/json", r"\bnlohmann::", None, None),
    ("http", "core/http", r"curl/curl\.h", r"\bcurl_\w+\(", ["core/http"], None),
    ("tests", "tests/support", r"catch2/", r"", ["tests/support"], None),
]

SOURCE = {".h", ".cc", ".c", ".cpp"}
BINARY = {".png", ".gz", ".so", ".a", ".o", ".ico", ".zst", ".tar"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# A file of the standard library: one word, no extension.
STANDARD = re.compile(r"^[a-z0-9_]+$")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# Folders that any machine has; others at the root belong to one machine.
COMMON_ROOTS = set("bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var".split())
PLACEHOLDERS = "ann|deploy|user|you|me"


def tracked(root):
    """The files under version control; all but build folders where there is none."""
    if (root / ".git").exists():
        done = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                              capture_output=True, check=False)
        if done.returncode == 0:
            names = sorted(set(os.fsdecode(done.stdout).split("\0")) - {""})
            return [root / name for name in names if (root / name).is_file()]
    skipped = {"build", ".git", ".cache"}
    return sorted(path for path in root.rglob("*")
                  if path.is_file() and not skipped & set(path.relative_to(root).parts))


def lines_of(path):
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


class Check:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.files = {str(path.relative_to(self.root)): path for path in tracked(self.root)}
        self.faults = []

    def fault(self, name, line, text):
        self.faults.append(f"{name}:{line}: {text}" if line else f"{name}: {text}")

    def run(self):
        everywhere, in_code = machine_paths(self.root, False), machine_paths(self.root, True)
        for name, path in self.files.items():
            if path.suffix in SOURCE:
                self.check_includes(name, path)
            if path.name == "CMakeLists.txt" and name.startswith("core/"):
                self.check_links(name, path)
            if path.suffix not in BINARY:
                is_code = name.startswith(("core/", "plugins/", "sdk/", "tests/"))
                self.check_words(name, path, in_code if is_code else everywhere)
        self.check_jobs()
        return self.faults

    # --- floors ---

    def check_includes(self, name, path):
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            self.check_owner(name, number, found[2])
            user, used = room_of_file(name), room_of_include(found[2])
            if name.startswith("sdk/include/"):
                self.check_sdk(name, number, found[1], found[2])
            elif name.startswith("plugins/"):
                self.check_plugin(name, number, found[2], used)
            elif user:
                self.check_use(name, number, user, used)

    def check_sdk(self, name, number, bracket, target):
        if not (target.startswith("porter/") or STANDARD.match(target)) or bracket == '"':
            self.fault(name, number, f"the SDK includes the standard library and itself alone, not {target}")

    def check_plugin(self, name, number, target, used):
        if used and used != "plugins" and used not in PLUGIN_ROOMS:
            self.fault(name, number, f"a plugin uses the SDK, http, inventory and packages, not {target}")
        own = "/".join(name.split("/")[:2]) + "/"
        if target.startswith("plugins/") and not target.startswith(own):
            self.fault(name, number, f"a plugin does not use another plugin: {target}")

    def check_use(self, name, number, user, used):
        if user not in FLOOR_OF:
            self.fault(name, number, f"core/{user} has no floor: name it in scripts/check-layers.py and the architecture")
        elif used == "plugins" or (used and used not in FLOOR_OF):
            self.fault(name, number, f"core/{user} must not use {used}")
        elif used and not allowed(user, used):
            self.fault(name, number, f"core/{user} (floor {FLOOR_OF[user]}) must not use core/{used} "
                                     f"(floor {FLOOR_OF[used]})")

    def check_links(self, name, path):
        """porter_library(… USES porter_ROOM …): the same rules for what is linked."""
        user = room_of_file(name)
        if not user:
            return
        for number, line in enumerate(lines_of(path), 1):
            for used in re.findall(r"\bporter_([a-z0-9_]+)\b", line.split("#")[0]):
                if used in FLOOR_OF:
                    self.check_use(name, number, user, used)

    # --- who does which job ---

    def check_owner(self, name, number, target):
        for job, _, include, _, owners, _ in JOBS:
            inside = owners and any(name.startswith(owner + "/") for owner in owners)
            if owners and not inside and re.match(include, target):
                self.fault(name, number, f"{target} is included in {', '.join(owners)} alone ({job})")
        if name.endswith(".h") and name.startswith(("core/", "sdk/")) and target == "nlohmann/json.hpp":
            self.fault(name, number, "headers include nlohmann/json_fwd.hpp; the whole of it belongs into .cc files")

    def check_jobs(self):
        for job, folder, include, use, _, once in JOBS:
            inside = [path for name, path in self.files.items()
                      if name.startswith(folder + "/") and path.suffix in SOURCE]
            if once and once not in self.files:
                continue
            if not any(self.does(path, include, use) for path in inside):
                self.fault(folder, 0, f"the {job} no longer stands on its library ({include})")
        if not any(name.startswith("tests/unit/") and "TEST_CASE(" in path.read_text(errors="replace")
                   for name, path in self.files.items() if path.suffix == ".cc"):
            self.fault("tests/unit", 0, "no test case is left")

    @staticmethod
    def does(path, include, use):
        code = [line.split("//")[0] for line in lines_of(path)]
        included = any(found and re.match(include, found[2]) for found in map(INCLUDE.match, code))
        return included and (not use or any(re.search(use, line) for line in code))

    # --- words ---

    def check_words(self, name, path, patterns):
        code = name.startswith(("core/", "plugins/", "sdk/"))
        for number, line in enumerate(lines_of(path), 1):
            if code and (found := UNFINISHED.search(line)):
                self.fault(name, number, f"{found[1]}: finish it, or leave the word out")
            for pattern in patterns:
                if found := pattern.search(line):
                    self.fault(name, number, f"a path of one machine: {found[0].strip()}")


def machine_paths(root, is_code):
    """Paths that mean something on one machine only. Documents may talk of fixed names below /tmp; code may not."""
    before = r"(?<![\w.~$}/*-])"
    out = [re.compile(before + rf"/(?:home|Users)/(?!(?:{PLACEHOLDERS})\b)\w+"), re.compile(before + r"/root/\w")]
    if is_code:
        out.append(re.compile(before + r"/tmp/\w"))
    # Where this checkout lies: its folder, or, in a place no other machine has, also what lies beside it.
    parts = root.parts
    if len(parts) > 2:
        place = "/".join(parts[1:] if parts[1] in COMMON_ROOTS else parts[1:3])
        out.append(re.compile(before + "/" + re.escape(place) + r"\b"))
    return out


def room_of_file(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "core" and len(parts) > 2 else None


def room_of_include(target):
    if target.startswith("porter/"):
        return "sdk"
    if target.startswith("plugins/"):
        return "plugins"
    found = re.match(r"core/([^/]+)/", target)
    return found[1] if found else None


def allowed(user, used):
    if user == used:
        return True
    if user in ONLY:
        return used in ONLY[user]
    return FLOOR_OF[used] < FLOOR_OF[user] or (user, used) in SAME_FLOOR


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    check = Check(root)
    faults = check.run()
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(check.files)} files are on their floors")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
