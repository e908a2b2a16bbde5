"""kill -9 in the middle of a send: waits until the stage of a running deploy holds so many entries, and ends who is
deploying."""

import os
import time

import porter

VICTIMS = {"worker": ("worker",), "client": ("worker", "supervisor"), "all": ("worker", "supervisor", "agent")}
LONGEST = 60


def role(words):
    if "porter-agent" in words:
        return "agent"
    if "porter-admin worker" in words:
        return "worker"
    return "supervisor" if "porter-admin" in words else "other"


def running(mark):
    """Processes of the deployer, by role; a server stays."""
    found = [(pid, role(words)) for pid, words in porter.processes_with(mark)]
    return [each for each in found if each[1] != "other"]


class Stages:
    """The folders where a deploy builds: those that were not there before it began."""

    def __init__(self, site):
        self.places = [os.path.join(site, "releases"), os.path.join(site, ".porter/staging")]
        self.before = self.folders()

    def folders(self):
        return {os.path.join(place, name) for place in self.places if os.path.isdir(place) for name in listed(place)}

    def hold(self, wanted):
        """Whether there is a stage with so many entries in it."""
        for stage in self.folders() - self.before:
            count, waiting = 0, [stage]
            while waiting and count < wanted:
                for entry in scanned(waiting.pop()):
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
            if count >= wanted:
                return True
        return False


def listed(folder):
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def scanned(folder):
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # gone meanwhile, or closed already
        return []


def kill_in_mid_send(process, mark, stages, victims, wanted):
    """True when the stage was seen before the deploy ended. Waits until nobody of the run is left."""
    end = time.monotonic() + LONGEST
    known = []
    while process.poll() is None and time.monotonic() < end:
        if not any(who == "agent" for _, who in known):
            known = running(mark)
        if stages.hold(wanted):
            for pid, who in known:
                if who in VICTIMS[victims]:
                    porter.kill(pid)
            process.communicate(timeout=LONGEST)
            porter.wait_until(lambda: not running(mark), LONGEST, "what is left of a killed deploy to end")
            return True
    process.communicate(timeout=LONGEST)
    porter.wait_until(lambda: not running(mark), LONGEST, "a deploy to end")
    return False
