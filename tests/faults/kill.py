#!/usr/bin/env python3
"""Kill anywhere: deploys and rollbacks OLD → NEW, killed before every state-changing system call and at random
moments; after each kill the target is held against release_check.py, and the next plain deploy has to put everything
right.

    kill.py             a sample of a few hundred kills (CTest: faults-kill)
    kill.py --long      every call of every scenario: some thousand kills
    kill.py --replay SCENARIO/ATTACK/N      one kill, again
"""

import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import place
import porter
import release_check
from place import Attack, Place
from release_check import INPLACE, RELEASES
from tracer import members

SCENARIOS = {  # what the place is like, and whether the new release fails its health check
    "releases": (dict(layout=RELEASES), False), "inplace": (dict(layout=INPLACE), False),
    "releases-unhealthy": (dict(layout=RELEASES), True), "inplace-unhealthy": (dict(layout=INPLACE), True),
    "releases-first": (dict(layout=RELEASES, first=True), False),
    "inplace-first": (dict(layout=INPLACE, first=True), False),
    "releases-rollback": (dict(layout=RELEASES, rollback=True), False),
    "inplace-rollback": (dict(layout=INPLACE, rollback=True), False),
    "releases-ssh": (dict(layout=RELEASES, far=True), False), "inplace-ssh": (dict(layout=INPLACE, far=True), False),
    "push-ssh": (dict(layout=RELEASES, far=True), False)}  # the agent has to be brought there first

NEAR = [Attack("agent", "agent", "agent"), Attack("worker", "worker", "worker"),
        Attack("supervisor", "supervisor", "supervisor"), Attack("client", "client", "client"),
        Attack("both", "any", "client,agent")]
FAR = [Attack("client", "client", "client"), Attack("worker", "worker", "worker"),
       Attack("agent", "far", "far", side="far", pattern="--serve")]
PUSH = [Attack("session", "far", "far", side="far", pattern="mktemp")]

# For strace every open counts: it cannot tell those that create.
STRACE = ("openat write pwrite64 writev sendto renameat renameat2 rename mkdir mkdirat unlink unlinkat rmdir symlinkat linkat "
          "fsync fdatasync syncfs ftruncate chmod fchmod fchmodat utimensat copy_file_range ioctl fcntl flock").split()
SWITCHES = {"rename", "renameat", "renameat2", "symlinkat", "linkat"}

WHAT = """A kill is a SIGKILL right before a system call that changes something (tracer.py; opens only when they create or
truncate, fcntl only for locks, ioctl only for clones). Calls are numbered over all threads of the attacked processes
in the order of that run: 1, 2, … until a run has no N-th call. What the order of threads makes of one number differs
between runs; so "every call" is said of the order that each run had.
Attacks: agent, worker, supervisor alone; client = supervisor and worker; both = all three, at a call of any."""
WHAT_STRACE = """strace: the whole tree under strace -f -e inject=CALL:signal=KILL:when=N, N = 1, 2, … until nothing is killed.
It counts in each thread by itself: the first thread of a process to come to its own N-th call ends the process, so the
N-th call of a slower thread is not reached (it is by tracer.py); and all processes that come so far are killed."""


def attacks_of(scenario):
    return PUSH if scenario == "push-ssh" else FAR if scenario.endswith("-ssh") else NEAR


class Tally:
    """What came of the kills of one sweep, and of all."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kills, self.runs = 0, 0
        self.verdicts, self.calls = collections.Counter(), collections.Counter()
        self.failures = []

    def add(self, verdict, hit):
        with self.lock:
            self.runs += 1
            if hit:
                self.kills += 1
                self.verdicts[verdict] += 1
                self.calls[(hit["role"], hit["call"])] += 1

    def fail(self, name, problem, folder):
        with self.lock:
            self.failures.append(name)
            print("FAILED %s: %s\n  kept: %s\n  again: tests/faults/kill.py --replay %s" % (name, problem, folder, name),
                  flush=True)

    def __iadd__(self, other):
        self.kills, self.runs = self.kills + other.kills, self.runs + other.runs
        self.verdicts += other.verdicts
        self.calls += other.calls
        self.failures += other.failures
        return self

    def line(self):
        return "%5d kills: %s; %d failures" % (self.kills, ", ".join(
            "%s %d" % each for each in sorted(self.verdicts.items())) or "-", len(self.failures))


class Runner:
    """One thread's place, made anew after a failure."""

    def __init__(self, scenario, hook, tally):
        self.scenario, self.tally = scenario, tally
        self.traits, self.unhealthy = SCENARIOS[scenario]
        self.traits = dict(self.traits, hook=hook if self.unhealthy else None)
        self.env = {place.UNHEALTHY: "yes"} if self.unhealthy else None
        self.place = None

    def close(self, keep=False):
        if self.place:
            self.place.close(keep)
        self.place = None

    def prepare(self):
        self.place = self.place or Place(**self.traits)
        self.place.make_old_live()
        self.place.use_new()
        if self.scenario == "push-ssh":
            shutil.rmtree(self.place.server.home / ".cache")

    def round(self, name, strike):
        """One fault and what follows. `strike(place)` gives exit code, talk and what was hit; True when it was."""
        talk = ""
        try:
            self.prepare()
            code, talk, hit = strike(self.place)
            verdict = self.place.judge(code, self.unhealthy, hit)
            self.place.recover(verdict)
            self.tally.add(verdict, hit)
            return hit is not None
        except (AssertionError, OSError) as problem:
            self.tally.fail("%s/%s" % (self.scenario, name), "%s\n  it said: %s" % (problem, talk.strip()),
                            self.place.folder if self.place else "-")
            self.close(keep=True)
            return True

    def traced(self, attack, number):
        def strike(where):
            code, talk, report = attack.run(where, number, self.env)
            return code, talk, report["hit"]
        return self.round("%s/%d" % (attack.name, number), strike)

    def calls_of(self, attack):
        """The calls that the attack counts, of a run that is not hurt."""
        self.prepare()
        report = attack.run(self.place, 0, self.env)[2]
        return [call for role, call in report["calls"] if role in members([attack.at])]

    def stracing(self, call, number):
        def strike(where):
            log = where.folder / "strace.log"
            code, talk = where.run_under(["strace", "-f", "-q", "-o", str(log), "-e", "trace=" + call, "-e",
                                          "inject=%s:signal=KILL:when=%d" % (call, number)], self.env)
            hit = {"role": "strace", "call": call} if "killed by SIGKILL" in log.read_text(errors="replace") else None
            return code, talk, hit
        return self.round("strace-%s/%d" % (call, number), strike)

    def seconds(self):
        """How long a run takes that is not hurt."""
        took = []

        def strike(where):
            began = time.monotonic()
            code, talk = where.run_under([], self.env)
            took.append(time.monotonic() - began)
            return code, talk, None
        self.round("not hurt/0", strike)
        return took[0]

    def at_random(self, victims, moments):
        """Kills at these moments after the start, of one run after the other, as an impatient user would."""
        def strike(where):
            hit = {}

            def during(process, moment):
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    for pid, words in where.running():
                        if ("agent" if "porter-agent" in words else "client") in victims:
                            porter.kill(pid)
                            hit.update(role="+".join(victims), call="at a random moment")
            for moment in moments:
                where.note_live()
                code, talk = where.run_under([], self.env, lambda process, at=moment: during(process, at))
                release_check.require_no_process(where.running)
            return code, talk, hit or None
        return self.round("random-%s/%s" % ("+".join(victims), ",".join("%.4f" % each for each in moments)), strike)


def in_parallel(jobs, scenario, hook, tally, items, stop_early):
    """Works through (method, arguments…) with a place a thread. With `stop_early` items are of one enumeration,
    which ends with the third that reached nothing."""
    source, lock, beyond = iter(items), threading.Lock(), []

    def work():
        runner = Runner(scenario, hook, tally)
        try:
            while True:
                with lock:
                    item = next(source, None) if len(beyond) < 3 else None
                if item is None:
                    return
                reached = getattr(runner, item[0])(*item[1:])
                if stop_early and not reached:
                    beyond.append(item)
        finally:
            runner.close()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Campaign:
    def __init__(self, arguments, hook):
        self.jobs, self.long, self.seed, self.hook = arguments.jobs, arguments.long, arguments.seed, hook
        self.random = random.Random(self.seed)
        self.all = Tally()

    def sweep(self, scenario, name, items, stop_early=False):
        tally, began = Tally(), time.monotonic()
        in_parallel(self.jobs, scenario, self.hook, tally, items, stop_early)
        print("%-20s %-18s %s, %d runs, %.0f s" % (scenario, name, tally.line(), tally.runs, time.monotonic() - began),
              flush=True)
        self.all += tally
        return tally

    def traced(self, scenario, attack, sample=None, all_switches=False):
        """Every call, or a sample of them with all renames and links when asked for."""
        runner = Runner(scenario, self.hook, Tally())
        try:
            calls = runner.calls_of(attack)
        finally:
            runner.close()
        if self.long:
            numbers = iter(range(1, 100000))
        else:
            switches = [number for number, call in enumerate(calls, 1) if call in SWITCHES and all_switches]
            rest = [number for number in range(1, len(calls) + 1) if number not in switches]
            numbers = sorted(switches + self.random.sample(rest, min(sample, len(rest))))
        tally = self.sweep(scenario, "%s of %d" % (attack.name, len(calls)),
                           (("traced", attack, number) for number in numbers), stop_early=self.long)
        if not tally.kills:
            tally.fail("%s/%s" % (scenario, attack.name), "no run was killed", "-")
            self.all.failures += tally.failures

    def stracing(self, scenario, calls, numbers):
        for call in calls:
            self.sweep(scenario, "strace " + call, (("stracing", call, number) for number in numbers), stop_early=True)

    def at_random(self, scenario, count):
        runner = Runner(scenario, self.hook, Tally())
        try:
            longest = 1.1 * runner.seconds()
        finally:
            runner.close()
        victims = [("client",), ("agent",), ("client", "agent")]
        items = []
        for _ in range(count):
            moments = [self.random.uniform(0, longest) for _ in range(self.random.choice((1, 1, 2, 3)))]
            items.append(("at_random", self.random.choice(victims), moments))
        self.sweep(scenario, "random moments", items)


def quick(campaign):
    for scenario in ("releases", "inplace", "releases-unhealthy", "inplace-unhealthy"):
        healthy = not SCENARIOS[scenario][1]
        for attack in attacks_of(scenario):
            agent_too = attack.name in ("agent", "both")
            campaign.traced(scenario, attack, 12 if agent_too else 4, all_switches=agent_too and healthy)
        campaign.at_random(scenario, 8)
    for scenario in ("releases-rollback", "inplace-rollback"):
        campaign.traced(scenario, NEAR[0], 10, all_switches=scenario == "releases-rollback")
        campaign.traced(scenario, NEAR[-1], 4)
    for attack in attacks_of("releases-ssh"):
        campaign.traced("releases-ssh", attack, 4)
    campaign.stracing("releases", ["renameat", "symlinkat"], range(1, 40))


def long(campaign):
    for scenario in SCENARIOS:
        for attack in attacks_of(scenario):
            campaign.traced(scenario, attack)
        campaign.at_random(scenario, 60)
    for scenario in ("releases", "inplace"):
        campaign.stracing(scenario, STRACE, range(1, 100000))


def replay(campaign, name):
    scenario, what, number = name.split("/")
    if what.startswith("strace-"):
        items = [("stracing", what[len("strace-"):], int(number))]
    elif what.startswith("random-"):
        items = [("at_random", tuple(what[len("random-"):].split("+")),
                  [float(each) for each in number.split(",")])]
    else:
        attack = next(each for each in attacks_of(scenario) if each.name == what)
        items = [("traced", attack, int(number))]
    campaign.sweep(scenario, what, items)


def print_calls(calls):
    """Kills per system call and role."""
    roles = sorted({role for role, _ in calls})
    print("\n%-24s %s" % ("kills before", " ".join("%16s" % role for role in roles)))
    for call in sorted({call for _, call in calls}):
        print("%-24s %s" % (call, " ".join("%16d" % calls[(role, call)] for role in roles)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--replay", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(WHAT, WHAT_STRACE, "seed %d, %d jobs, %s" % (arguments.seed, arguments.jobs, porter.ADMIN), sep="\n", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="porter-hook-") as folder:
        campaign = Campaign(arguments, place.compile_hook(folder))
        if arguments.replay:
            replay(campaign, arguments.replay)
        else:
            (long if arguments.long else quick)(campaign)
    print_calls(campaign.all.calls)
    print("\nall: %s, %d runs, %.0f s" % (campaign.all.line(), campaign.all.runs, time.monotonic() - began))
    sys.exit(1 if campaign.all.failures or not campaign.all.kills else 0)


if __name__ == "__main__":
    main()
