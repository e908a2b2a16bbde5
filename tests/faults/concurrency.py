"""Many deploys at once on one target: one holder at a time, the others say who it is; a holder that dies frees the
lock; and deploys, rollbacks and pruning at random never leave anything but whole releases.

Whether two were inside is told by the deploys themselves: a hook makes a folder beside the site before anything is
sent, and removes it when the deploy is finished. Making a folder that is there fails."""

import os
import random
import subprocess
import threading
import time

import io_checks
from io_checks import porter
from porter import LOCKED, OK, REFUSED, USAGE

ROUNDS = 200 if io_checks.LONG else 12
SIZES = (2, 8, 32)
UNLINK_ROUNDS = 60 if io_checks.LONG else 6
KILLS = 40 if io_checks.LONG else 8
OPERATIONS = 500 if io_checks.LONG else 60
# What a part that lost its other half may take to end: 10 s, and some room for a busy machine.
DEADLINE = 13

HOOK = """#include <porter/porter.h>
#include <chrono>
#include <thread>
using porter::Module;
using porter::Target;
PORTER_DEPLOYMENT {
  %s
}
"""
GUARD = """
  module.push_signal_handler(porter::SIG_SOURCE_PRE_SEND,
                             [](Module& m) { m.service<Target>().run({"mkdir", "%(guard)s"}); });
  module.push_signal_handler(porter::SIG_DEPLOY_FINISH,
                             [](Module& m) { m.service<Target>().run({"rmdir", "%(guard)s"}); });
"""
HOLD = """
  module.push_signal_handler(porter::SIG_SOURCE_PRE_SEND, [](Module& m) {
    m.service<Target>().write("%(inside)s", "", 0);
    %(wait)s
  });
"""


class Contenders(porter.Case):
    """Projects that all deploy to the same folder, each with content of its own."""

    def setUp(self):
        super().setUp()
        self.trees = {}

    def contender(self, number, keep=5, hook=""):
        name = "project%d" % number
        path = self.site()
        self.write(name + "/project.ini", "[project]\nname = P%d\ndepends = app\n[hosts]\nhere = local:\n" % number)
        self.write(name + "/app/app.ini", "[module]\npath = %s\nkeep_releases = %d\n" % (path, keep))
        self.directory = self.folder / name
        if hook:
            self.compile_hook(self.directory / "app/deployment.so", hook)
        return self.directory

    def compile_hook(self, to, body):
        """Once for all that say the same."""
        made = self.folder / ("hook-%08x.so" % (hash(body) & 0xffffffff))
        if not made.exists():
            source = self.write("hook.cpp", HOOK % body)
            flags = ["-fsanitize=" + os.environ["PORTER_SANITIZE"]] if porter.SANITIZED else []
            subprocess.run(["c++", "-std=c++20", "-fPIC", "-shared", *flags, "-I", str(porter.SOURCE / "sdk/include"),
                            str(source), "-o", str(made)], check=True)
        os.link(made, to)

    def fill(self, project, text):
        for name in ("marker", "first/marker", "last/deep/marker"):
            self.write("%s/app/src/%s" % (project.name, name), text)
        self.trees[text] = io_checks.sums(project / "app/src")

    def start_all(self, projects, *arguments):
        """All of them behind one barrier: each is a shell that waits for the end of its input."""
        gate, opener = os.pipe()
        wait = ["sh", "-c", 'read go; exec "$@" </dev/null', "sh", porter.ADMIN, "deploy", "--host", "here", *arguments]
        started = [subprocess.Popen(wait, cwd=str(each), env=self.env, stdin=gate, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE) for each in projects]
        os.close(gate)
        os.close(opener)
        return started

    def release_list(self, kind):
        """Ids of releases that are "bad" or "pinned"."""
        return set(os.listdir(self.site() / ".porter" / kind)) if (self.site() / ".porter" / kind).exists() else set()

    def history(self):
        """What was committed and gone back to, oldest first: dicts of action, release, previous, …"""
        lines = (self.site() / ".porter/history").read_text().splitlines()
        return [dict(word.partition("=")[::2] for word in line.split()) for line in lines]

    def race(self, projects, *arguments):
        """Exit codes and words of one round."""
        started = self.start_all(projects, *arguments)
        said = [each.communicate(timeout=300)[1].decode() for each in started]
        return [(each.returncode, err) for each, err in zip(started, said)]

    def running(self, words=""):
        return [pid for pid, line in porter.processes_with(self.mark) if words in line]

    def end_all(self, process):
        for pid in self.running():
            porter.kill(pid)
        process.communicate(timeout=60)

    def check_target(self):
        """What is live is one of the trees as they were meant, and so is everything that is listed."""
        live = io_checks.verdict(self.site(), self.trees)
        for release in io_checks.complete_releases(self.site()):
            self.assertIn(io_checks.sums(self.site() / "releases" / release), self.trees.values(), release)
        self.assert_settled()
        return live

    def commits(self):
        return (self.site() / ".porter/history").read_text().count("action=commit")


class Races(Contenders):
    def setUp(self):
        super().setUp()
        self.guard = self.folder / "inside"
        hook = GUARD % {"guard": self.guard}
        self.projects = [self.contender(number, hook=hook) for number in range(max(SIZES))]
        self.double = 0

    def one_round(self, number, size, *arguments):
        projects = self.projects[:size]
        for each in projects:
            self.fill(each, "%s of round %d\n" % (each.name, number))
        ended = self.race(projects, *arguments)
        self.said = "".join(err for _, err in ended)
        self.double += sum("File exists" in err for _, err in ended)
        for code, err in ended:
            self.assertIn(code, (OK, LOCKED), err)
            if code == LOCKED:
                self.assertRegex(err, "locked by")
        winners = [each for each, (code, _) in zip(projects, ended) if code == OK]
        self.assertIn(self.check_target(), ["%s of round %d\n" % (each.name, number) for each in winners])
        self.assertFalse(self.guard.exists(), "somebody did not come out")
        return len(winners)

    def test_one_holder_at_a_time(self):
        done = {size: [0, 0] for size in SIZES}
        for number in range(ROUNDS):
            size = SIZES[number % len(SIZES)]
            done[size][0] += 1
            before = self.commits() if number else 0
            winners = self.one_round(number, size)
            done[size][1] += winners
            self.assertEqual(self.commits() - before, winners, "who said 0, and what the target remembers")
        io_checks.say("; ".join("%d at once: %d rounds, %d of %d deployed" % (size, rounds, won, rounds * size)
                                for size, (rounds, won) in done.items()) + "; double holders: %d" % self.double)
        self.assertEqual(self.double, 0)

    def test_a_busy_target_names_its_holder(self):
        inside = self.folder / "there"
        holder = self.contender(90, hook=HOLD % {
            "inside": inside, "wait": "std::this_thread::sleep_for(std::chrono::seconds(600));"})
        self.fill(holder, "holder\n")
        process = self.start_all([holder])[0]
        try:
            porter.wait_until(inside.exists, 60, "the holder")
            self.fill(self.projects[0], "other\n")
            (code, err), = self.race(self.projects[:1])
            self.assertEqual(code, LOCKED, err)
            self.assertIn("locked by %s@" % porter.user_name(), err)
            self.assertRegex(err, r"since \d{4}-\d\d-\d\dT")
        finally:
            self.end_all(process)

    def test_those_that_wait_all_get_their_turn(self):
        porter.need(io_checks.has_option("deploy", "--lock-wait"), "deploy has no --lock-wait")
        told = nameless = 0
        for number in range(ROUNDS // 4):
            self.said = ""
            self.assertEqual(self.one_round(number, 8, "--lock-wait", "200s", "-m", "round %d" % number), 8)
            waits = [line for line in self.said.splitlines() if "waiting: " in line]
            # A lock is taken a moment before its holder has written down who it is.
            named = [line for line in waits if not line.endswith("locked by somebody")]
            told, nameless = told + len(named), nameless + len(waits) - len(named)
            for line in named:
                self.assertRegex(line, r"locked by %s@\S+ since \d{4}-\d\d-\d\dT\S+ \(.*: round %d\), run \S+$" % (
                    porter.user_name(), number))
        io_checks.say("%d rounds of 8 that wait: all deployed; told for whom they wait %d times, and that it is somebody "
                      "%d times; double holders: %d" % (ROUNDS // 4, told, nameless, self.double))
        self.assertGreater(told, nameless)

    def test_a_lock_file_that_somebody_deletes_lets_nobody_in_twice(self):
        self.one_round(0, 2)
        stop, deleted = threading.Event(), 0

        def delete():
            nonlocal deleted
            while not stop.is_set():
                try:
                    os.unlink(self.site() / ".porter/lock")
                    deleted += 1
                except FileNotFoundError:
                    pass
                stop.wait(0.0005)

        thief = threading.Thread(target=delete)
        thief.start()
        try:
            for number in range(1, UNLINK_ROUNDS + 1):
                self.one_round(number, 8)
        finally:
            stop.set()
            thief.join()
        io_checks.say("lock file deleted %d times in %d rounds of 8; double holders: %d" % (
            deleted, UNLINK_ROUNDS, self.double))
        self.assertGreater(deleted, UNLINK_ROUNDS)
        self.assertEqual(self.double, 0)


class DeadHolders(Contenders):
    """A holder is killed while it is inside; how long until the lock is free, and the next deploy works."""

    WAITS = {"its own side is busy": "std::this_thread::sleep_for(std::chrono::seconds(600));",
             "a program runs on the target": 'm.service<Target>().run({"sleep", "600"});'}
    PARTS = ("supervisor", "worker", "agent", "all")
    QUICK = (("a program runs on the target", "supervisor"), ("its own side is busy", "worker"),
             ("its own side is busy", "agent"), ("a program runs on the target", "all"))

    def setUp(self):
        super().setUp()
        self.next = self.contender(0)
        self.fill(self.next, "first\n")
        self.deploy()

    def kill(self, process, victim):
        """The program that was started, its worker, the agent, or all of them. Tells whether there were any."""
        victims = {"supervisor": [process.pid], "worker": self.running("porter-admin worker"),
                   "agent": self.running("porter-agent"), "all": self.running()}[victim]
        for pid in victims:
            porter.kill(pid)
        return bool(victims)

    def seconds_to_free(self):
        began = time.monotonic()
        porter.wait_until(lambda: not io_checks.lock_is_held(self.site()), DEADLINE, "the lock to be free")
        return time.monotonic() - began

    def next_deploy_works(self, text):
        self.fill(self.next, text)
        self.run_admin("deploy", "--host", "here", cwd=self.next, code=OK)
        self.assertEqual(self.check_target(), text)

    def test_each_part_that_can_die(self):
        slowest = {}
        cases = [(what, part) for what in self.WAITS for part in self.PARTS] if io_checks.LONG else self.QUICK
        for number, (what, part) in enumerate(cases, 1):
            with self.subTest(what, killed=part):
                inside = self.folder / ("inside%d" % number)
                holder = self.contender(number, hook=HOLD % {"inside": inside, "wait": self.WAITS[what]})
                self.fill(holder, "%s %s\n" % (what, part))
                process = self.start_all([holder])[0]
                try:
                    porter.wait_until(inside.exists, 60, "the holder")
                    self.assertTrue(io_checks.lock_is_held(self.site()))
                    self.assertTrue(self.kill(process, part), "no %s to kill" % part)
                    slowest["%s killed while %s" % (part, what)] = self.seconds_to_free()
                finally:
                    self.end_all(process)
                self.next_deploy_works("after %s %s\n" % (what, part))
        for what, seconds in slowest.items():
            io_checks.say("%s: lock free after %.3f s" % (what, seconds))
        io_checks.say("killed holders: the slowest freed the lock after %.3f s, allowed %d s" % (
            max(slowest.values(), default=-1), DEADLINE))

    def test_kills_at_random_moments(self):
        chance = random.Random(0)
        victim = self.contender(1)
        slowest = 0
        for number in range(KILLS):
            self.fill(victim, "victim %d\n" % number)
            process = self.start_all([victim])[0]
            time.sleep(chance.uniform(0, 0.15))  # any moment will do: that is the test
            self.kill(process, "supervisor" if number % 2 else "all")
            slowest = max(slowest, self.seconds_to_free())
            self.end_all(process)
            self.next_deploy_works("after %d\n" % number)
        io_checks.say("%d kills at random moments: the slowest freed the lock after %.3f s" % (KILLS, slowest))


class Mixture(Contenders):
    """Deploys (some of them wait), rollbacks, pins and pruning, three at once, in no order."""

    KINDS = {"deploy": ("deploy",), "waiting": ("deploy", "--lock-wait", "100s"), "rollback": ("rollback",),
             "waiting rollback": ("rollback", "--lock-wait", "100s"), "pin": ("releases", "--pin"),
             "unpin": ("releases", "--unpin")}
    WEIGHTS = (6, 4, 4, 2, 1, 1)
    # Of a release that was pruned meanwhile, and of a rollback with nothing older: USAGE.
    # REFUSED: another release became live between the choice of a rollback and its lock.
    ALLOWED = {"deploy": (OK, LOCKED), "waiting": (OK,), "rollback": (OK, LOCKED, USAGE, REFUSED),
               "waiting rollback": (OK, USAGE, REFUSED), "pin": (OK, LOCKED, USAGE), "unpin": (OK, LOCKED, USAGE)}

    def setUp(self):
        super().setUp()
        self.chance = random.Random(1)
        self.projects = [self.contender(number, keep=number + 1) for number in range(3)]
        self.fill(self.projects[0], "first\n")
        self.run_admin("deploy", "--host", "here", cwd=self.projects[0], code=OK)

    def begin(self, project, kind, number):
        words = list(self.KINDS[kind])
        if words[0] == "deploy":
            self.fill(project, "%s %d\n" % (project.name, number))
        elif words[0] == "releases":
            words.append(self.chance.choice(io_checks.complete_releases(self.site())))
        return self.start(*words, "--host", "here", cwd=project)

    def check_what_is_kept(self, pinned):
        """After any operations: the live release and what ran before it are there, and what is pinned is."""
        there, last = set(io_checks.complete_releases(self.site())), self.history()[-1]
        self.assertEqual(self.release(), last["release"])
        self.assertNotIn(self.release(), self.release_list("bad"), "a bad release is live")
        self.assertIn(last["release"], there)
        self.assertIn(last["previous"], there, "what ran before was removed")
        self.assertLessEqual(pinned & self.release_list("pinned"), there, "a pinned release was removed")

    def release(self):
        return os.readlink(self.site() / "current").split("/")[-1]

    def test_whatever_comes_all_that_is_listed_is_whole(self):
        count, pruned, seen = {}, 0, set()
        for number in range(OPERATIONS // 3 + 1):
            kinds = self.chance.choices(list(self.KINDS), self.WEIGHTS, k=3)
            pinned = self.release_list("pinned")
            started = [(kind, self.begin(project, kind, number)) for project, kind in zip(self.projects, kinds)]
            for kind, process in started:
                err = process.communicate(timeout=120)[1].decode()
                self.assertIn(process.returncode, self.ALLOWED[kind], "%s: %s" % (kind, err))
                key = "%s: %d" % (kind, process.returncode)
                count[key] = count.get(key, 0) + 1
            self.check_target()
            self.check_what_is_kept(pinned)
            there = set(io_checks.complete_releases(self.site()))
            pruned, seen = pruned + len(seen - there), there
        io_checks.say("%d operations by kind and exit code: %s; %d releases pruned; violations: 0" % (
            sum(count.values()), dict(sorted(count.items())), pruned))
        for kind in ("deploy", "waiting", "rollback", "pin"):
            self.assertGreater(count.get("%s: 0" % kind, 0), 0)
        self.assertGreater(pruned, OPERATIONS // 10)


if __name__ == "__main__":
    io_checks.main()
