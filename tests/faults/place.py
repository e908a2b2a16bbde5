"""Where the fault programs deploy: a project of a dozen files with an OLD and a NEW tree, a target, and what has to
hold after a run that was hurt. One Place a thread; a Place lies in a folder of its own."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FAULTS.parent / "integration"))

import porter  # noqa: E402
import release_check  # noqa: E402
from release_check import INPLACE, RELEASES, require  # noqa: E402

TRACER = [sys.executable, "-S", "-E", str(FAULTS / "tracer.py")]
SHARED = "var/uploads"
CONFIG_FILE = "etc/local.ini"
UNHEALTHY = "PORTER_TEST_UNHEALTHY"
KEEP = 2
LONGEST = 120  # seconds that any run may take

HOOK = """#include <porter/porter.h>
#include <cstdlib>
#include <stdexcept>
PORTER_DEPLOYMENT {
  module.push_signal_handler(porter::SIG_HEALTH_CHECK, [](porter::Module&) {
    if (std::getenv("%s") != nullptr) throw std::runtime_error("does not answer");
  });
}
""" % UNHEALTHY

# Path → content, mode; what is in one tree alone, changes, and turns from a folder into a file.
BOTH = {"bin/start": ("#!/bin/sh\n", 0o755), "same.txt": ("the same in both\n", 0o644), "lib/b.py": ("b = 1\n", 0o644),
        "data/one": ("1\n", 0o644), "data/two": ("2\n" * 500, 0o600)}
OLD = dict(BOTH, **{"lib/a.py": ("a = 'old'\n", 0o644), "gone/too.txt": ("bye\n", 0o644), "turns/inside": ("was\n", 0o644),
                    "mode": ("x\n", 0o600), "data/three": ("3\n", 0o644)})
NEW = dict(BOTH, **{"lib/a.py": ("a = 'quite new'\n", 0o644), "fresh/deep/er.txt": ("hello\n", 0o640),
                    "turns": ("a file now\n", 0o644), "mode": ("x\n", 0o644), "data/three": ("333\n", 0o644)})
LINKS = {"OLD": {"link": "lib/a.py"}, "NEW": {"link": "lib/b.py", "another": "same.txt"}}
LARGE = 200 * 1024  # more than travels as one piece
TREES = {"OLD": OLD, "NEW": NEW}


def is_server(words):
    """A command line of an SSH server; those of what it started may name its folder."""
    return os.path.basename((words.split() or [""])[0]).rstrip(":") == "sshd"


def compile_hook(folder):
    """The hook as a ready-made deployment.so, once for all places."""
    source, hook = pathlib.Path(folder) / "deployment.cpp", pathlib.Path(folder) / "deployment.so"
    source.write_text(HOOK)
    subprocess.run(["c++", "-std=c++20", "-fPIC", "-shared", "-I", str(porter.SOURCE / "sdk/include"), str(source),
                    "-o", str(hook)], check=True)
    return hook


def write_tree(folder, name):
    for path, (content, mode) in TREES[name].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)
    for path, target in LINKS[name].items():
        (folder / path).symlink_to(target)
    large = bytearray(bytes(range(256)) * (LARGE // 256))
    if name == "NEW":
        large[LARGE // 2:LARGE // 2 + 5] = b"later"
    (folder / "large.dat").write_bytes(large)


class Place(porter.Case):
    """`first`: nothing is on the target before. `rollback`: what is hurt goes back from OLD to NEW, which was live before
    it. `far`: the target is behind a throw-away sshd of its own. `extra`: more lines of project.ini."""

    def runTest(self):
        """A Case needs one."""

    def __init__(self, layout=RELEASES, first=False, rollback=False, far=False, hook=None, target=None, extra=""):
        super().__init__()
        self.rollback, self.command = rollback, ["deploy"]
        self.layout, self.first, self.far = layout, first, far
        self.setUp()
        if target:
            self.target = pathlib.Path(target)
        self.project(hosts="here = %s" % ("there" if far else "local:"), extra=extra, app=(
            "layout = %s\nkeep_releases = %d\n[shared]\npaths = %s\n[config_files]\n%s = local.ini\n" % (
                layout, KEEP, SHARED, CONFIG_FILE)))
        self.module = self.directory / "app"
        if hook:
            shutil.copy(hook, self.module / "deployment.so")
        shutil.rmtree(self.module / "src")
        self.make_trees()
        if far:
            self.make_far()
        self.round = 0

    def make_trees(self):
        for name in TREES:
            write_tree(self.folder / name / "src", name)
            self.write("%s/config/here/local.ini" % name, "[local]\ntree = %s\n" % name, 0o640)
        self.trees = {name: self.expected(name) for name in TREES}
        self.earlier = {}  # every NEW there was
        self.source = None

    def expected(self, name):
        folder = self.folder / name
        return release_check.expected(folder / "src", {CONFIG_FILE: folder / "config/here/local.ini"},
                                      [SHARED] if self.layout == RELEASES else [])

    def make_far(self):
        """An sshd whose next fitting session runs under what the file `attack` says, if it is there."""
        self.attack_file = self.folder / "attack"
        forced = self.write("forced", """#!/bin/sh
[ -e {0} ] && . {0}
case "$pattern,$SSH_ORIGINAL_COMMAND" in
  ?*,*"$pattern"*) mv {0} {0}.used && exec "$@" sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
exec sh -c "$SSH_ORIGINAL_COMMAND"
""".format(shlex.quote(str(self.attack_file))), 0o755)
        self.server = self.sshd(extra=["ForceCommand %s" % forced])
        self.ssh_config("there", self.server)

    # --- deploys ---

    def use(self, name, again=False):
        """Makes OLD or NEW what the project deploys; every NEW has a file that no earlier one had, but for `again`."""
        if self.source:
            for part in ("src", "config"):
                os.rename(self.module / part, self.folder / self.source / part)
        if name == "NEW" and not again:
            self.round += 1
            self.write("NEW/src/lib/round.txt", "round %d of %s\n" % (self.round, self.mark))
            self.trees["NEW"] = self.earlier["NEW of round %d" % self.round] = self.expected("NEW")
        for part in ("src", "config"):
            os.rename(self.folder / name / part, self.module / part)
        self.source = name

    def plain_deploy(self):
        return self.deploy("--config", "here", timeout=LONGEST)

    def look(self):
        trees = dict(self.trees)
        if self.first:
            del trees["OLD"]
            if self.layout == INPLACE:
                trees["NONE"] = {}
        return release_check.Site(self.site(), self.layout, trees, self.earlier, left_alone=["var"])

    def make_old_live(self):
        """The same state before every fault: OLD is live, and a NEW before it will have to be pruned."""
        self.before = "NONE" if self.first else "OLD"
        if self.first:
            self.use("OLD")
            shutil.rmtree(self.site(), ignore_errors=True)
            return
        names = ("NEW", "OLD") if self.rollback else ("OLD",) if self.round else ("OLD", "NEW", "OLD")
        for name in names:
            self.use(name)
            self.plain_deploy()
            if self.rollback and name == "NEW":
                self.command = ["rollback", "--to", self.look().live_release()]
        require(self.look().verdict(settled=True) == "OLD", "the tree before the fault is not OLD")
        self.look().require_settled(KEEP)
        self.kept_file().write_text("an upload\n")

    def use_new(self):
        """What the run that is hurt, and the deploy after it, shall make live."""
        self.use("NEW", again=self.rollback)

    def note_live(self):
        """Between two runs that are hurt: a failed run goes back to what is live now. Half a switch is undone first."""
        verdict = self.look().verdict()
        self.before = self.before if verdict == "BETWEEN" else verdict

    def kept_file(self):
        folder = "shared/" + SHARED if self.layout == RELEASES else SHARED
        file = self.site() / folder / "kept.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def run_under(self, prefix, env=None, during=None):
        """The deploy or rollback under another program; `during` is called with its process. Gives back exit code and talk."""
        command = [*prefix, porter.ADMIN, *self.command, "--host", "here", "--config", "here"]
        process = subprocess.Popen(command, cwd=str(self.directory), env=dict(self.env, **(env or {})),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            if during:
                during(process)
            talk = process.communicate(timeout=LONGEST)[1].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            running = self.running()
            process.kill()
            process.communicate()
            require(False, "no end within %s s; running: %s", LONGEST, running)
        return process.returncode, talk

    def running(self):
        """Processes of ours; the server stays."""
        return [(pid, words) for pid, words in porter.processes_with(self.mark) if not is_server(words)]

    # --- what has to hold ---

    def judge(self, code, unhealthy, hit):
        """After a run that was hurt (`hit`) or not: the verdict, if it is one that may be."""
        release_check.require_no_process(self.running)
        verdict = self.look().verdict()
        old = "NONE" if self.first else "OLD"
        require(verdict in (old, "NEW", "BETWEEN"), "the verdict is %s", verdict)
        if code == porter.OK:
            require(verdict == "NEW", "exit 0, and %s is live", verdict)
            require(not unhealthy, "exit 0, and the health check failed")
        if code in (porter.NOTHING_ACTIVATED, porter.ROLLED_BACK):
            require(verdict == self.before, "exit %s, and %s is live, not %s as before", code, verdict, self.before)
        if not hit:
            wanted = porter.ROLLED_BACK if unhealthy else porter.OK
            require(code == wanted, "nothing was hurt: exit %s instead of %s", code, wanted)
        return verdict

    def recover(self, verdict):
        """I4: the next plain deploy, without a human step. When what was killed had made NEW live already, it changes
        nothing, and so leaves it to the next commit to remove the oldest release."""
        keep = KEEP + (verdict == "NEW")
        result = self.deploy("--config", "here", timeout=LONGEST, code=None)
        require(result.code == porter.OK, "the next deploy failed: %s", result)
        site = self.look()
        after = site.verdict(settled=True)
        require(after == "NEW", "after the next deploy %s is live", after)
        site.require_settled(keep, left=self.rollback)
        if not self.first:
            require(self.kept_file().read_text() == "an upload\n", "what is shared was lost")
        runs = release_check.names(self.home / ".local/state/porter/runs") - {"lock"}
        require(not runs, "journals of dead runs are left: %s", sorted(runs))


class Attack:
    """One way to hurt a run: `at` (role) and `kill` (roles) as tracer.py knows them, on the `side` where it traces."""

    def __init__(self, name, at, kill, side="near", pattern=""):
        self.name, self.at, self.kill, self.side, self.pattern = name, at, kill, side, pattern

    def run(self, place, number, env=None, cut=None):
        """Gives back exit code, talk, and the tracer's report; number 0 only counts."""
        report = place.folder / "report.json"
        if report.exists():
            report.unlink()
        tracer = [*TRACER, "--at", "%s:%d" % (self.at, number), "--kill", self.kill, "--report", str(report)]
        tracer += ["--cut", str(cut)] if cut else []
        if self.side == "near":
            code, talk = place.run_under([*tracer, "--"], env)
        else:
            place.attack_file.write_text("pattern=%s\nset -- %s --\n" % (shlex.quote(self.pattern), shlex.join(tracer)))
            code, talk = place.run_under([], env)
            porter.wait_until(report.exists, LONGEST, "the far side to end")
        return code, talk, json.loads(report.read_text())
