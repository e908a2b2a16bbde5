"""Running a contestant with a watch in hand, and what a run leaves behind as a value."""

import os
import random
import subprocess
import tempfile
import time

import judge
from shared import porter


class Run:
    """`fault`: why the run does not count. `failed`: it did not even end as it should."""

    def __init__(self, seconds=0.0, cpu=0.0, fault="", memory=None):
        self.seconds, self.cpu, self.fault, self.memory = seconds, cpu, fault, memory
        self.failed = bool(fault)

    def values(self):
        found = {"seconds": round(self.seconds, 4), "cpu": round(self.cpu, 4)}
        if self.memory is not None:
            found["memory"] = self.memory
        if self.fault:
            found["fault"] = self.fault
        return found


def timed(contestant, tree, link, limit):
    """One run. What others wrote is on disk before it begins, so that nobody waits for somebody else's pages."""
    jobs = contestant.jobs(tree, link)
    os.sync()
    before, began = os.times(), time.monotonic()
    started = Started(contestant, link, jobs)
    fault = started.finish(limit)
    seconds, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(seconds, cpu, fault)


class Started:
    """Jobs that run at the same time, each a pipeline of commands; what its last command says is kept."""

    def __init__(self, contestant, link, jobs):
        self._environment, self._directory = contestant.environment(), contestant.directory(link)
        self._said = tempfile.TemporaryFile()
        self.processes = [process for job in jobs for process in self._pipeline(job)]

    def _pipeline(self, job):
        processes, feed = [], subprocess.DEVNULL
        for words in job[:-1]:
            process = self._start(words, feed, subprocess.PIPE, subprocess.DEVNULL)
            feed = process.stdout
            processes.append(process)
        processes.append(self._start(job[-1], feed, self._said, self._said))
        for process in processes[:-1]:
            process.stdout.close()
        return processes

    def _start(self, words, stdin, stdout, stderr):
        return subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stderr, env=self._environment,
                                cwd=self._directory)

    def finish(self, limit):
        """Nothing when all went well, otherwise what was said last."""
        with self._said:
            return self._wait(limit)

    def _wait(self, limit):
        end = time.monotonic() + limit
        try:
            codes = [process.wait(max(0, end - time.monotonic())) for process in self.processes]
        except subprocess.TimeoutExpired:
            for process in self.processes:
                porter.kill(process.pid)
                process.wait()
            return "no end within %d s" % limit
        if not any(codes):
            return ""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return "exit %s: %s" % (max(codes), " / ".join(lines[-3:]))


def judged(contestant, tree, link, run):
    """A run whose target is not the source is a fault, however quick it was."""
    if not run.fault and tree is not None:
        for _, folder in link.targets:
            found = judge.differences(tree.folder, contestant.landing(tree, folder), contestant.keeps)
            if found:
                run.fault = "%d differences: %s" % (len(found), "; ".join(found[:judge.SHOWN]))
    return run


def shuffled(contestants, rng):
    order = list(contestants)
    rng.shuffle(order)
    return order


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def generator(seed, row):
    """Each row has its own numbers, so that leaving out one changes no other."""
    return random.Random("%s %s" % (seed, row))
