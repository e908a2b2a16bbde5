#!/usr/bin/env python3
"""Plugins and hooks that misbehave: every way at every signal, on the second of two hosts. After each, the
verdict has to be right (old release and exit 5 before the switch, old and 6 after it, new and 4 once it is
committed), the culprit named, no lock held and no process left; and the next deploy, with the misbehaviour off,
has to work by itself.

    plugins.py                    a plugin, layout releases: what the tests run
    plugins.py --long             plugin and hook, both layouts
    plugins.py --only SIG_DEPLOY:hangs

Prints a table of exit codes and the figures; ends with 1 when one that has to be 0 is not.
"""

import argparse
import collections
import concurrent.futures
import fcntl
import os
import pathlib
import queue
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
import porter  # noqa: E402

HOSTS = ("here", "there")
LANES = 6  # a lane that waits for a limit leaves the processors to the others
MODULE_SCOPE = ("register_signal_handlers", "SIG_SOURCE_PREPARE", "SIG_DEPLOY", "SIG_DEPLOY, replaced")
BEFORE = MODULE_SCOPE + ("SIG_DEPLOY_START", "SIG_SOURCE_PRE_SEND", "SIG_SOURCE_SEND", "SIG_SOURCE_POST_SEND")
AFTER = ("SIG_PRE_ACTIVATE", "SIG_ACTIVATE", "SIG_POST_ACTIVATE", "SIG_HEALTH_CHECK", "SIG_DEPLOY_FAILED",
         "SIG_ROLLBACK")
COMMITTED = ("SIG_DEPLOY_FINISH",)
SIGNALS = BEFORE + AFTER + COMMITTED
WAYS = ("throws", "throws-int", "hangs", "waits", "exit", "_exit", "abort", "segfault", "overflow", "ends-thread",
        "leaves-child")
SLOW = ("hangs", "waits")
F_OFD_SETLK = 37

Combination = collections.namedtuple("Combination", "owner layout signal way")
FIGURES = ("wrong successes", "half releases", "other wrong verdicts", "culprits not named", "locks still held",
           "processes left", "next deploys that failed", "strays after it")


def expected(combination):
    """The exit code, and whether the new release is live then."""
    if combination.signal in COMMITTED:
        return porter.SOME_FAILED, True
    late = combination.signal in AFTER
    if combination.layout == "inplace" and combination.signal == "SIG_SOURCE_POST_SEND":
        late = True  # only after the switch is the tree complete
    return porter.ROLLED_BACK if late else porter.NOTHING_ACTIVATED, False


class Lane:
    """A project of its own with two hosts, used for one combination after another."""

    def __init__(self, folder, owner, layout):
        self.folder, self.owner, self.layout = folder, owner, layout
        self.project = folder / "project"
        (self.project / "app/src").mkdir(parents=True)
        (folder / "home").mkdir()
        self.mark = str(folder)
        self.number = 0
        plugins = porter.BUILD / "tests/faults"
        self.write("app/app.ini", "[module]\nlayout = %s\npath = %s\npath-there = %s\n%s" % (
            layout, self.site("here"), self.site("there"),
            "[plugin:acme.misbehaving]\n" if owner == "plugin" else ""))
        self.plugin_path = plugins
        if owner == "hook":
            shutil.copy(plugins / "misbehaving-hook.so", self.project / "app/deployment.so")
        code, said = self.deploy()
        if code != porter.OK:
            raise AssertionError("the first deploy failed: %s" % said)
        self.live = self.wanted()

    def write(self, path, text):
        (self.project / path).write_text(text)

    def site(self, host):
        return self.folder / "target" / host / "app"

    def change(self):
        self.number += 1
        for name in ("one", "two"):
            self.write("app/src/" + name, "%s %d\n" % (name, self.number))
        self.write("app/src/extra%d" % self.number, "new\n")
        gone = self.project / ("app/src/extra%d" % (self.number - 1))
        if gone.exists():
            gone.unlink()

    def wanted(self):
        return porter.file_sums(self.project / "app/src")

    def deploy(self, **fault):
        """A changed source, deployed; the exit code and what was said."""
        self.change()
        limit = "handler_timeout = 1s\n" if fault.get("FAULT_HOW") in SLOW else ""
        self.write("project.ini", "[project]\nname = Faults\ndepends = app\n[hosts]\nhere = local:\nthere = local:\n"
                                  "[plugins]\npath = %s\n[deploy]\n%s" % (self.plugin_path, limit))
        environment = {"HOME": str(self.folder / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8",
                       porter.MARK: self.mark, "PORTER_SITE_CONFIG": str(self.folder / "none"), **fault}
        done = subprocess.run([porter.ADMIN, "deploy", "--host", "here,there"], cwd=self.project, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                              check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def live_on(self, host):
        """The files that are live, None when there are none."""
        site = self.site(host)
        folder = site / "current" if self.layout == "releases" else site
        if not folder.exists():
            return None
        return {path: digest for path, digest in porter.file_sums(folder).items() if not path.startswith(b".porter/")}

    def lock_is_free(self, host):
        with open(self.site(host) / ".porter/lock", "r+") as file:
            try:
                fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
                return True
            except OSError:
                return False

    def strays(self, host):
        """What a settled site must not have."""
        folder = self.site(host) / ".porter"
        # In layout inplace the last activation's undo list is kept.
        kept = {"staging": 0, "trash": 0, "undo": 1 if self.layout == "inplace" else 0}
        found = [name for name, most in kept.items() if (folder / name).exists() and
                 len(os.listdir(folder / name)) > most]
        if self.layout == "releases" and set(os.listdir(self.site(host) / "releases")) != set(
                os.listdir(folder / "manifests")):
            found.append("releases without a seal")
        return found

    def attempt(self, combination):
        """Misbehaves once and deploys again; the exit code, and a dict of figure → what was seen."""
        before = self.live
        code, said = self.deploy(FAULT_AT=combination.signal, FAULT_HOW=combination.way, FAULT_HOST="there")
        after = self.wanted()
        seen = {}
        self.judge(combination, code, before, after, seen)
        if not self.names_culprit(combination, said):
            seen["culprits not named"] = said
        free = appears(lambda: all(self.lock_is_free(host) for host in HOSTS))
        if not free:
            seen["locks still held"] = said
        if not appears(lambda: not porter.processes_with(self.mark)):
            left = porter.processes_with(self.mark)
            seen["processes left"] = str(left)
            for pid, _ in left:
                porter.kill(pid)
        again, said_again = self.deploy()
        self.live = self.wanted()
        if again != porter.OK or any(self.live_on(host) != self.live for host in HOSTS):
            seen["next deploys that failed"] = "exit %s: %s" % (again, said_again)
        strays = {host: self.strays(host) for host in HOSTS if self.strays(host)}
        if strays:
            seen["strays after it"] = str(strays)
        return code, {figure: "%s\n%s" % (text, said) for figure, text in seen.items()}

    def judge(self, combination, code, before, after, seen):
        wanted_code, wanted_new = expected(combination)
        live = [self.live_on(host) for host in HOSTS]
        if any(one not in (before, after) for one in live) or live[0] != live[1]:
            seen["half releases"] = "exit %s, live: %s" % (code, live)
        elif live[0] != (after if wanted_new else before):
            seen["other wrong verdicts"] = "exit %s, and the %s release is live" % (
                code, "old" if live[0] == before else "new")
        if code == 0:
            seen["wrong successes"] = "exit 0"
        elif code != wanted_code:
            seen["other wrong verdicts"] = "exit %s, expected %s" % (code, wanted_code)

    def names_culprit(self, combination, said):
        who = "plugin acme.misbehaving 1.0" if self.owner == "plugin" else "hook app/deployment.so"
        signal = combination.signal.split(",")[0]
        return any(who in line and signal in line for line in said.splitlines())


def appears(condition, seconds=10):
    try:
        return porter.wait_until(condition, seconds)
    except AssertionError:
        return False


def combinations(long, only):
    owners = ("plugin", "hook") if long else ("plugin",)
    layouts = ("releases", "inplace") if long else ("releases",)
    found = []
    for owner in owners:
        for layout in layouts:
            for way in WAYS:
                for signal in SIGNALS:
                    if way == "waits" and signal in MODULE_SCOPE:
                        continue  # there is no target yet
                    if only is None or only == "%s:%s" % (signal, way):
                        found.append(Combination(owner, layout, signal, way))
    # The slow ones first, so that the end does not wait for them.
    return sorted(found, key=lambda each: each.way not in SLOW)


def run_all(todo, folder):
    """Combination → (exit code, what was wrong), by lanes that are made as they are needed."""
    idle = collections.defaultdict(queue.SimpleQueue)

    def run(number, combination):
        lanes = idle[combination.owner, combination.layout]
        try:
            lane = lanes.get_nowait()
        except queue.Empty:
            lane = Lane(folder / ("lane%d" % number), combination.owner, combination.layout)
        try:
            return lane.attempt(combination)
        finally:
            lanes.put(lane)

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        futures = {each: pool.submit(run, number, each) for number, each in enumerate(todo)}
        return {each: future.result() for each, future in futures.items()}


def print_tables(results):
    for owner, layout in sorted({(each.owner, each.layout) for each in results}):
        ways = [way for way in WAYS if any(each[:2] == (owner, layout) and each.way == way for each in results)]
        print("\n%s, layout %s: exit codes (! = something was wrong)" % (owner, layout))
        print("%-26s %s" % ("", " ".join("%12s" % way for way in ways)))
        for signal in SIGNALS:
            cells = [results.get(Combination(owner, layout, signal, way)) for way in ways]
            if any(cells):
                print("%-26s %s" % (signal, " ".join(
                    "%12s" % ("-" if cell is None else "%s%s" % (cell[0], "!" if cell[1] else "")) for cell in cells)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", metavar="SIGNAL:WAY")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # they crash on purpose
    todo = combinations(given.long, given.only)
    if not todo:
        sys.exit("no such combination")
    began = time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-faults-")).resolve()
    try:
        results = run_all(todo, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_tables(results)
    for combination, (_, wrong) in results.items():
        for figure, text in wrong.items():
            print("\n%s: %s\n%s" % (" / ".join(combination), figure, text))
    print("\ncombinations: %d in %.0f s" % (len(results), time.monotonic() - began))
    failed = False
    for figure in FIGURES:
        count = sum(figure in wrong for _, wrong in results.values())
        failed = failed or count > 0
        print("%s: %d" % (figure, count))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
