"""Running a contestant with a watch in hand, and what a run leaves behind as a value."""

import os
import random
import subprocess
import time

import judge


class Run:
    def __init__(self, seconds, user, system, fault=""):
        self.seconds, self.user, self.system, self.fault = seconds, user, system, fault

    def values(self):
        return {"seconds": round(self.seconds, 4), "cpu": round(self.user + self.system, 4), "fault": self.fault}


def timed(contestant, tree, link, limit):
    """One run. What others wrote is on disk before it begins, so that nobody waits for somebody else's pages."""
    commands = contestant.commands(tree, link)
    os.sync()
    before = os.times()
    began = time.monotonic()
    processes = start(commands, contestant)
    said = finish(processes, limit)
    seconds = time.monotonic() - began
    after = os.times()
    return Run(seconds, after.children_user - before.children_user, after.children_system - before.children_system,
               said)


def start(commands, contestant):
    """Commands of one pipeline; only the last one's words are kept."""
    processes, feed = [], subprocess.DEVNULL
    for number, words in enumerate(commands):
        last = number + 1 == len(commands)
        process = subprocess.Popen(words, stdin=feed, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT if last else subprocess.DEVNULL,
                                   env=contestant.environment(), cwd=contestant.directory())
        if feed != subprocess.DEVNULL:
            feed.close()
        feed = process.stdout
        processes.append(process)
    return processes


def finish(processes, limit):
    """Nothing when all went well, otherwise what was said last."""
    try:
        out, _ = processes[-1].communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
            process.wait()
        return "no end within %d s" % limit
    codes = [process.wait() for process in processes]
    if not any(codes):
        return ""
    return "exit %s: %s" % (max(codes), " / ".join(out.decode("utf-8", "replace").strip().splitlines()[-3:]))


def judged(contestant, tree, run):
    """A run whose target is not the source is a fault, however quick it was."""
    if not run.fault:
        found = judge.differences(tree.folder, contestant.landing(tree), contestant.keeps)
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
