#!/usr/bin/env python3
"""Success is durable: cuts the power of the target's file system some seconds after a deploy ended with exit 0, and
before every state-changing call of an agent that deploys or rolls back. After the cut the target is held against release_check.py, and
the next plain deploy has to put everything right.

    powercut.py             some cuts (CTest: faults-powercut)
    powercut.py --long      20 cuts for each wait and way of mounting, the same for rsync, and a cut at every call

The power of the target is cut, the operator's machine stays up. Needs root, loop devices and ext4; ends with 77 where
they are missing.
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

import ext4_disk
import place
import porter
import release_check
from ext4_disk import Disk
from place import Attack, Place
from release_check import INPLACE, RELEASES, Violation, require

MOUNTS = {"default": "", "strict": "data=writeback,noauto_da_alloc,commit=300"}
BULK, BULK_SIZE = 200, 8000
RIVAL = "rsync -a, ln -sfn, mv -T"
FORM = "%-24s %-8s"


class Lane:
    """One thread's disk and what is deployed there."""

    def __init__(self, options):
        self.folder = tempfile.mkdtemp(prefix="porter-disk-")
        self.disk = Disk(self.folder, options)

    def close(self):
        self.disk.unmount()
        shutil.rmtree(self.folder)


class PorterLane(Lane):
    def __init__(self, options, layout, bulk=0, first=False, rollback=False):
        super().__init__(options)
        self.place = Place(layout, first=first, rollback=rollback, target=self.disk.mount)
        self.bulk = bulk

    def prepare(self):
        self.place.make_old_live()
        self.disk.sync()
        for number in range(self.bulk):
            self.place.write("NEW/src/bulk/%d" % number, os.urandom(BULK_SIZE))
        self.place.use_new()

    def cut_after(self, wait):
        """NEW, or a violation: a success that is lost or torn."""
        self.prepare()
        self.place.plain_deploy()
        time.sleep(wait)  # the fault itself: how long after success the power goes
        self.disk.cut()
        self.disk.power_up()
        verdict = self.place.judge(porter.OK, unhealthy=False, hit=True)
        self.place.recover(verdict)
        return verdict

    def cut_at(self, number):
        """At the agent's N-th call; gives back verdict and what was hit."""
        self.prepare()
        code, talk, report = Attack("cut", "agent", "agent").run(self.place, number, cut=self.disk.mount)
        try:
            self.disk.power_up()
            verdict = self.place.judge(code, unhealthy=False, hit=report["hit"])
            self.place.recover(verdict)
        except AssertionError as problem:
            raise Violation("%s\n  it said: %s" % (problem, talk.strip())) from problem
        return verdict, report["hit"]

    def close(self, keep=False):
        if keep:
            self.disk.keep(self.place.folder)
        self.place.close(keep)
        super().close()


class RivalLane(Lane):
    """The usual way of deploying: copy, and switch by rename. Its losses are counted; they fail nothing."""

    def cut_after(self, wait):
        top, source = str(self.disk.mount), os.path.join(self.folder, "source")
        for name in ("1", "2"):
            shutil.rmtree(os.path.join(source, name), ignore_errors=True)
            os.makedirs(os.path.join(source, name))
            for number in range(BULK):
                with open(os.path.join(source, name, str(number)), "wb") as file:
                    file.write(os.urandom(BULK_SIZE))
        subprocess.run(["rm", "-rf", top + "/releases", top + "/current"], check=True)
        self.deploy(source, "1")
        self.disk.sync()
        self.deploy(source, "2")
        time.sleep(wait)
        self.disk.cut()
        self.disk.power_up()
        found = release_check.tree_of(os.path.join(top, os.readlink(top + "/current")))
        wanted = {name: release_check.tree_of(os.path.join(source, name)) for name in ("1", "2")}
        if found == wanted["2"]:
            return "NEW"
        return "lost" if found == wanted["1"] else "torn"

    def deploy(self, source, name):
        top = str(self.disk.mount)
        os.makedirs(top + "/releases", exist_ok=True)
        for command in (["rsync", "-a", "%s/%s/" % (source, name), "%s/releases/%s/" % (top, name)],
                        ["ln", "-sfn", "releases/" + name, top + "/current.new"],
                        ["mv", "-T", top + "/current.new", top + "/current"]):
            subprocess.run(command, check=True)


class Campaign:
    def __init__(self):
        self.failures, self.lock, self.cuts = [], threading.Lock(), 0

    def fail(self, name, problem, lane):
        with self.lock:
            self.failures.append(name)
            print("FAILED %s: %s\n  kept: %s" % (name, problem, lane.place.folder if lane else "-"), flush=True)

    def in_lanes(self, make, count, items, step):
        """Calls step(lane, item) for all items, on `count` lanes at once; a lane that failed is replaced."""
        source = iter(items)

        def work():
            lane = None
            try:
                while True:
                    with self.lock:
                        item = next(source, None)
                    if item is None:
                        return
                    try:
                        lane = lane or make()
                        step(lane, item)
                        with self.lock:
                            self.cuts += 1
                    except (AssertionError, OSError) as problem:
                        self.fail(str(item), problem, lane if isinstance(lane, PorterLane) else None)
                        if isinstance(lane, PorterLane):
                            lane.close(keep=True)
                        lane = None
            finally:
                if lane:
                    lane.close()

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def after_success(self, rows, waits, times, lanes):
        """The table: for every row (name, mount, maker) and wait, what was live after the cut."""
        cells, threads = collections.defaultdict(collections.Counter), []

        def step(lane, item):
            name, mount, wait, _ = item
            outcome = lane.cut_after(wait)
            with self.lock:
                cells[(name, mount, wait)][outcome] += 1

        for name, mount, make in rows:
            items = [(name, mount, wait, number) for wait in sorted(waits, reverse=True) for number in range(times)]
            threads += self.in_lanes(make, lanes, items, step)
        for thread in threads:
            thread.join()
        print("\n" + FORM % ("cut after success by", "mounted") + "".join("%24s" % ("%g s" % wait) for wait in waits))
        for name, mount, _ in rows:
            print(FORM % (name, mount) + "".join("%24s" % (", ".join(
                "%s %d" % each for each in sorted(cells[(name, mount, wait)].items())) or "none") for wait in waits))
        print("NEW: live and whole. lost: the tree before is live again. torn: live with empty or wrong files.", flush=True)

    def in_the_middle(self, traits, mount, lanes, sample=None):
        """A cut at every call of the agent, or at a sample of them."""
        began, verdicts, calls = time.monotonic(), collections.Counter(), collections.Counter()
        lane = PorterLane(MOUNTS[mount], **traits)
        lane.prepare()
        reached = [call for role, call in Attack("count", "agent", "").run(lane.place, 0)[2]["calls"] if role == "agent"]
        lane.close()
        numbers = range(1, len(reached) + 1)
        name = traits["layout"] + ", first deploy" * traits.get("first", False) + ", rollback" * traits.get("rollback", False)

        def step(lane, item):
            verdict, hit = lane.cut_at(item[2])
            with self.lock:
                verdicts[verdict] += 1
                calls[hit["call"] if hit else "not reached"] += 1

        items = [(name, mount, number) for number in (sample(numbers) if sample else numbers)]
        for thread in self.in_lanes(lambda: PorterLane(MOUNTS[mount], **traits), lanes, items, step):
            thread.join()
        print("\n%s, mounted %s: cut before %d of the agent's %d calls, %.0f s: %s\n  %s" % (
            name, mount, len(items), len(reached), time.monotonic() - began,
            ", ".join("%s %d" % each for each in sorted(verdicts.items())),
            ", ".join("%s %d" % each for each in sorted(calls.items()))), flush=True)


def rows(mounts, rival=False):
    found = []
    for mount in mounts:
        for name, layout in (("porter-admin, releases", RELEASES), ("porter-admin, inplace", INPLACE)):
            found.append((name, mount, lambda mount=mount, layout=layout: PorterLane(MOUNTS[mount], layout, BULK)))
        if rival:
            found.append((RIVAL, mount, lambda mount=mount: RivalLane(MOUNTS[mount])))
    return found


def quick(campaign, seed):
    campaign.after_success(rows(MOUNTS), [0, 2], 2, 2)
    for layout in (RELEASES, INPLACE):
        campaign.in_the_middle(dict(layout=layout), "strict", 2,
                               lambda numbers: sorted(random.Random(seed).sample(numbers, 10)))
        campaign.in_the_middle(dict(layout=layout, rollback=True), "strict", 2,
                               lambda numbers: sorted(random.Random(seed).sample(numbers, 6)))


def long(campaign):
    if shutil.which("rsync") is None:
        print("SKIPPED: the table of rsync: it is not installed", file=sys.stderr, flush=True)
    for mount in MOUNTS:
        campaign.after_success(rows([mount], shutil.which("rsync")), [0, 2, 6, 25], 20, 6)
    for mount in MOUNTS:
        for when in ({}, dict(first=True), dict(rollback=True)):
            for layout in (RELEASES, INPLACE):
                campaign.in_the_middle(dict(when, layout=layout), mount, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    ext4_disk.in_own_namespace()
    with tempfile.TemporaryDirectory(prefix="porter-disk-") as folder:
        missing = ext4_disk.why_not(folder)
    if missing:
        print("SKIPPED: no power can be cut here: %s" % missing, file=sys.stderr, flush=True)
        sys.exit(77)
    began, campaign = time.monotonic(), Campaign()
    print("seed %d, %s" % (arguments.seed, porter.ADMIN), flush=True)
    if arguments.long:
        long(campaign)
    else:
        quick(campaign, arguments.seed)
    print("\nall: %d cuts held, %d failures, %.0f s" % (campaign.cuts, len(campaign.failures), time.monotonic() - began))
    sys.exit(1 if campaign.failures or not campaign.cuts else 0)


if __name__ == "__main__":
    main()
