"""kill -9 in the middle of a send: waits until the stage of a running deploy holds so many entries, and ends who is
deploying."""

import ctypes
import os
import stat
import time

import porter

VICTIMS = {"worker": ("worker",), "client": ("worker", "supervisor"), "all": ("worker", "supervisor", "agent")}
LONGEST = 60
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """What has lost its parent becomes a child of this process, and so is still found by running()."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def role(words):
    if "porter-agent" in words:
        return "agent"
    if "porter-admin worker" in words:
        return "worker"
    return "supervisor" if "porter-admin" in words else "other"


def running():
    """Processes of the deployer that descend from this one: number and role. Agents keep their environment to
    themselves, so a mark in it would be found by root only."""
    parents, roles = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as status:
                state, parent = status.read().rpartition(")")[2].split()[:2]
            with open("/proc/%s/cmdline" % pid, "rb") as command:
                words = command.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it ended meanwhile
        parents[int(pid)] = int(parent)
        if state != "Z":
            roles[int(pid)] = role(words)
    return [(pid, who) for pid, who in roles.items() if who != "other" and descends(pid, parents)]


def descends(pid, parents):
    while pid in parents and parents[pid] != os.getpid():
        pid = parents[pid]
    return pid in parents


class Stages:
    """The folders where a deploy builds: those that were not there before it began."""

    def __init__(self, site):
        self.seals = os.path.join(site, ".porter/manifests")
        self.kept = os.path.join(site, ".porter/interrupted")
        self.places = [os.path.join(site, "releases"), os.path.join(site, ".porter/staging")]
        self.before = self.folders()

    def folders(self):
        return {os.path.join(place, name) for place in self.places if os.path.isdir(place) for name in listed(place)}

    def spoil(self, rng):
        """Changes what a kill has left, here and there, with its times as they were. Files that are a release's as well
        are left alone. Gives how many it changed."""
        unsealed = [each for each in self.folders() - self.before
                    if not os.path.lexists(os.path.join(self.seals, os.path.basename(each)))]
        files = [os.path.join(path, name) for each in [*unsealed, self.kept] for path, _, names in os.walk(each)
                 for name in sorted(names)]
        return sum(changed(path) for path in files if rng.random() < 0.1)

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


def changed(path):
    """True for a file that is another now."""
    was = os.lstat(path)
    if not stat.S_ISREG(was.st_mode) or was.st_nlink > 1 or was.st_size == 0:
        return False
    try:
        with open(path, "r+b") as file:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))
    except PermissionError:
        return False
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    return True


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


def kill_in_mid_send(process, stages, victims, wanted):
    """True when the stage was seen before the deploy ended. Waits until nobody of the run is left."""
    end = time.monotonic() + LONGEST
    known = []
    while process.poll() is None and time.monotonic() < end:
        if not any(who == "agent" for _, who in known):
            known = running()
        if stages.hold(wanted):
            for pid, who in known:
                if who in VICTIMS[victims]:
                    porter.kill(pid)
            process.communicate(timeout=LONGEST)
            porter.wait_until(lambda: not running(), LONGEST, "what is left of a killed deploy to end")
            return True
    process.communicate(timeout=LONGEST)
    porter.wait_until(lambda: not running(), LONGEST, "a deploy to end")
    return False
