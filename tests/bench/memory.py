"""Peak memory of everybody who takes part in a run, on either side: the kernel's own high-water mark of each process,
looked at until it ends. Looking costs time, so that these runs are not timed."""

import os
import re
import threading
import time

from shared import porter


PEAK = re.compile(rb"^VmHWM:\s+(\d+) kB", re.M)
MIB = 1024


def role_of(words):
    """Who a process is, from its command line; nothing for those that do not count."""
    program = os.path.basename(words[0]) if words else ""
    if program.startswith("porter-agent"):
        return "agent"
    if program.startswith("porter-admin"):
        return "worker" if words[1:2] == ["worker"] else "supervisor"
    if program == "rsync":
        return "remote" if "--server" in words else "client"
    return None


class Watch:
    """While it is open, notes the peak of each process of a mark."""

    def __init__(self, mark):
        self._needle = ("%s=%s" % (porter.MARK, mark)).encode()
        self._strangers = set(numbers())  # who was there before
        self._ours, self._peaks = set(), {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def peaks(self):
        """MiB by role: the largest process, the sum over all, and how many they were."""
        found = {}
        for role, peak in self._peaks.values():
            largest, total, count = found.get(role, (0, 0, 0))
            found[role] = (max(largest, peak), total + peak, count + 1)
        return {role: {"largest": round(largest / MIB, 1), "sum": round(total / MIB, 1), "processes": count}
                for role, (largest, total, count) in found.items()}

    def _look(self):
        while not self._end.is_set():
            for pid in numbers():
                if pid not in self._strangers:
                    self._one(pid)
            time.sleep(0.002)  # leaves the processors to those who are looked at

    def _one(self, pid):
        try:
            if pid not in self._ours:
                if self._needle not in read(pid, "environ").split(b"\0"):
                    return  # or not yet: it may become one of ours by exec
                self._ours.add(pid)
            # Asked each time: what a process was before exec does not count.
            role = role_of(read(pid, "cmdline").decode("utf-8", "replace").split("\0"))
            peak = PEAK.search(read(pid, "status"))
            if role and peak:
                before = self._peaks.get(pid, (role, 0))
                self._peaks[pid] = (role, max(int(peak[1]), before[1] if before[0] == role else 0))
        except OSError:
            pass  # it ended


def numbers():
    return filter(str.isdigit, os.listdir("/proc"))


def read(pid, file):
    with open("/proc/%s/%s" % (pid, file), "rb") as content:
        return content.read()
