"""What was measured with, and on what: versions and the machine, without names of hosts, users or folders."""

import os
import pathlib
import re
import subprocess
import time

from shared import porter


SOURCE = pathlib.Path(__file__).resolve().parents[2]
TOOLS = [("rsync", ["rsync", "--version"]), ("OpenSSH", ["ssh", "-V"]), ("tar", ["tar", "--version"]),
         ("ansible", ["ansible", "--version"]), ("node", ["node", "--version"])]


def all_facts(place):
    found = {"porter-admin": said([porter.ADMIN, "--version"]), "commit": commit(), "date": time.strftime("%Y-%m-%d"),
             "target file system": place.file_system(), "processor": processor(), "cores": os.cpu_count(),
             "memory": "%d GiB" % round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
             "kernel": re.match(r"\d+\.\d+", os.uname().release)[0], "load before": "%.2f" % os.getloadavg()[0]}
    for name, command in TOOLS:
        found[name] = said(command)
    return {name: value for name, value in found.items() if value}


def said(command):
    """The first line that a program says of itself; nothing when it is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout.decode("utf-8", "replace").splitlines() or [""])[0].strip()


def commit():
    changed = subprocess.run(["git", "-C", str(SOURCE), "status", "--porcelain", "--untracked-files=no"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    name = subprocess.run(["git", "-C", str(SOURCE), "rev-parse", "--short=12", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout.decode().strip()
    return name + (" and changes" if changed else "")


def processor():
    match = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return match[1] if match else os.uname().machine
