#!/usr/bin/env python3
"""Runs a command and stops every process below it right before each state-changing system call; kills some of
them, or cuts the power of a file system, at the N-th one.

    tracer.py [--at ROLE:N --kill ROLE,ROLE…] [--cut FOLDER] [--report FILE] -- COMMAND…

Calls are counted over all threads of all processes of a role, in the order in which they happen, so N = 1, 2, … reaches
every call (`strace -e inject=…:when=N` counts in each thread by itself, and so never reaches the N-th call of a thread
that another thread of its process is ahead of). A seccomp filter stops those calls only: the rest runs at full speed.

Roles: supervisor, worker, agent (by their command lines), far (agent and shells, for a session of an SSH server),
client (supervisor and worker), any. The report is JSON: the calls of each role in order, and what was hit. Ends as
the command ended. x86_64 Linux.
"""

import argparse
import ctypes
import fcntl
import json
import os
import platform
import signal
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long

# Name → number on x86_64, and which argument names a path (None: none, or a descriptor).
CALLS = {
    "write": (1, None), "open": (2, 0), "pwrite64": (18, None), "writev": (20, None), "sendto": (44, None),
    "sendmsg": (46, None), "fcntl": (72, None), "flock": (73, None), "fsync": (74, None), "fdatasync": (75, None),
    "truncate": (76, 0), "ftruncate": (77, None), "rename": (82, 1), "mkdir": (83, 0), "rmdir": (84, 0),
    "creat": (85, 0), "link": (86, 1), "unlink": (87, 0), "symlink": (88, 1), "chmod": (90, 0), "fchmod": (91, None),
    "chown": (92, 0), "fchown": (93, None), "lchown": (94, 0), "setxattr": (188, 0), "fsetxattr": (190, None),
    "utimes": (235, 0), "openat": (257, 1), "mkdirat": (258, 1), "mknodat": (259, 1), "fchownat": (260, 1),
    "unlinkat": (263, 1), "renameat": (264, 3), "linkat": (265, 3), "symlinkat": (266, 2), "fchmodat": (268, 1),
    "utimensat": (280, 1), "fallocate": (285, None), "pwritev": (296, None), "syncfs": (306, None),
    "renameat2": (316, 3), "copy_file_range": (326, None), "pwritev2": (328, None), "ioctl": (16, None),
    "sendfile": (40, None), "sync": (162, None)}
NAMES = list(CALLS)

# Of these only some change anything: argument → the values (masks for open) that count.
OPENS = os.O_CREAT | os.O_TRUNC | 0o20000000  # O_TMPFILE's own bit
F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW = 6, 7, 37, 38
ONLY = {"open": (1, "mask", [OPENS]), "openat": (2, "mask", [OPENS]),
        "fcntl": (1, "equal", [F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW]),
        "ioctl": (1, "equal", [0x40049409, 0x4020940D])}  # FICLONE, FICLONERANGE

PTRACE_CONT, PTRACE_SEIZE, PTRACE_LISTEN = 7, 0x4206, 0x4208
PTRACE_GETEVENTMSG, PTRACE_GET_SYSCALL_INFO = 0x4201, 0x420E
OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000  # fork, vfork, clone, exec, seccomp, end with the tracer
EVENT_EXEC, EVENT_SECCOMP, EVENT_STOP = 4, 7, 128
STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
WALL = 0x40000000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2


def seccomp_filter():
    """Classic BPF: the calls of the table stop (their index is the message), everything else is let through."""
    load, equal, mask, end = 0x20, 0x15, 0x45, 0x06
    trace, allow = 0x7FF00000, 0x7FFF0000
    code = []
    for index, name in enumerate(NAMES):
        tests = ONLY.get(name)
        body = []
        if tests:
            argument, how, values = tests
            body.append((load, 0, 0, 16 + 8 * argument))
            for left, value in zip(range(len(values), 0, -1), values):
                body.append((equal if how == "equal" else mask, left, 0, value))
            body.append((end, 0, 0, allow))
        body.append((end, 0, 0, trace | index))
        code += [(load, 0, 0, 0), (equal, 0, len(body), CALLS[name][0])] + body
    code.append((end, 0, 0, allow))
    return b"".join(struct.pack("HBBI", *each) for each in code), len(code)


def ptrace(request, pid, address=0, data=0):
    result = LIBC.ptrace(request, pid, address, data)
    if result < 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))
    return result


def start(command):
    """A child that waits until it is seized, then filters its calls and executes the command."""
    ready, go = os.pipe()
    program, length = seccomp_filter()
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", length, ctypes.addressof(code)))
    child = os.fork()
    if child == 0:
        try:
            os.read(ready, 1)
            if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
                os._exit(126)
            if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
                os._exit(126)
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    ptrace(PTRACE_SEIZE, child, 0, OPTIONS)
    os.write(go, b"!")
    os.close(ready)
    os.close(go)
    return child


def role_of(words):
    program = os.path.basename(words[0]) if words else ""
    if program.startswith("porter-admin"):
        return "worker" if words[1:2] == ["worker"] else "supervisor"
    return "agent" if program.startswith("porter-agent") else "other"


GROUPS = {"client": ("supervisor", "worker"), "far": ("agent", "other"),
          "any": ("supervisor", "worker", "agent", "other")}


def members(names):
    return {role for name in names for role in GROUPS.get(name, (name,))}


class Tracer:
    def __init__(self, at, number, victims, cut):
        self.at, self.number, self.victims, self.cut = members([at]), number, members(victims), cut
        self.groups, self.roles = {}, {}  # thread → process → role
        self.calls = []                   # (role, call)
        self.reached = 0
        self.hit = None

    def run(self, command):
        self.root = start(command)
        status = None
        while True:
            try:
                pid, state = os.waitpid(-1, WALL)
            except ChildProcessError:
                return status
            if os.WIFSTOPPED(state):
                self.stopped(pid, state)
            else:
                self.groups.pop(pid, None)
                self.roles.pop(pid, None)
                if pid == self.root:
                    status = state

    def stopped(self, pid, state):
        event, number = state >> 16, os.WSTOPSIG(state)
        try:
            if event == EVENT_SECCOMP:
                self.before_call(pid)
            elif event == EVENT_EXEC:
                self.roles.pop(pid, None)
            elif event == EVENT_STOP and number in STOPS:
                ptrace(PTRACE_LISTEN, pid)
                return
            ptrace(PTRACE_CONT, pid, 0, 0 if event else number)
        except ProcessLookupError:
            pass  # killed meanwhile

    def process_of(self, pid):
        if pid not in self.groups:
            with open("/proc/%d/status" % pid) as status:
                self.groups[pid] = int(next(line for line in status if line.startswith("Tgid:")).split()[1])
        return self.groups[pid]

    def role(self, pid):
        process = self.process_of(pid)
        if process not in self.roles:
            with open("/proc/%d/cmdline" % process, "rb") as command:
                words = command.read().decode("utf-8", "replace").split("\0")
            self.roles[process] = role_of(words)
        return self.roles[process]

    def before_call(self, pid):
        message = ctypes.c_ulong()
        ptrace(PTRACE_GETEVENTMSG, pid, 0, ctypes.addressof(message))
        name = NAMES[message.value & 0xFFFF]
        try:
            role = self.role(pid)
        except FileNotFoundError:
            return
        self.calls.append((role, name))
        if role not in self.at:
            return
        self.reached += 1
        if self.reached == self.number and self.hit is None:
            self.hit = {"number": self.number, "role": role, "call": name, "what": self.describe(pid, name)}
            self.strike()

    def describe(self, pid, name):
        """The path of the call, for the reader of a failure."""
        which = CALLS[name][1]
        info = ctypes.create_string_buffer(88)
        try:
            ptrace(PTRACE_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
            arguments = struct.unpack_from("<Q6Q", info.raw, 24)[1:]
            if which is None:
                return os.readlink("/proc/%d/fd/%d" % (pid, arguments[0]))
            with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
                memory.seek(arguments[which])
                return memory.read(4096).split(b"\0")[0].decode("utf-8", "replace")
        except (OSError, ValueError):
            return "?"

    def strike(self):
        if self.cut:
            folder = os.open(self.cut, os.O_RDONLY)
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
            os.close(folder)
        for process in {self.process_of(pid) for pid in tasks_below(self.root)}:
            try:
                if self.role(process) in self.victims:
                    os.kill(process, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass


def tasks_below(root):
    """The process and all its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as status:
                    parents[int(entry)] = int(status.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, added = set(), {root} & set(parents)
    while added:
        found |= added
        added = {pid for pid, parent in parents.items() if parent in added} - found
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", default="any:0", metavar="ROLE:N")
    parser.add_argument("--kill", default="", metavar="ROLES")
    parser.add_argument("--cut", metavar="FOLDER", help="shut the file system of this folder down first")
    parser.add_argument("--report", metavar="FILE")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if platform.machine() != "x86_64":
        sys.exit("tracer.py knows the system calls of x86_64 only")
    role, _, number = arguments.at.partition(":")
    tracer = Tracer(role, int(number), [each for each in arguments.kill.split(",") if each], arguments.cut)
    status = tracer.run(arguments.command)
    if arguments.report:
        with open(arguments.report + ".part", "w") as report:
            json.dump({"calls": tracer.calls, "hit": tracer.hit}, report)
        os.rename(arguments.report + ".part", arguments.report)
    sys.stdout.flush()
    if os.WIFSIGNALED(status):
        os._exit(128 + os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
