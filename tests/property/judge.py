"""Is the target what the source is? Told by `rsync` and `find`, which know nothing of the deployer, and by what was
written down of each release when it was made.

By design a deploy does not keep setuid, setgid and sticky bits. The time of a folder alone is no change, and below a
folder in which nothing changed folders keep the times that they have (docs/formats.md)."""

import hashlib
import os
import stat
import subprocess

BLOCK = 512  # what find counts in
WORTH_A_HOLE = 256 << 10
SHOWN = 30
KEPT = ("user.", "system.posix_acl")  # attributes


class Unlike(AssertionError):
    """The target is not what it has to be."""


class Listing:
    """What `find` says of every entry of a folder. `placed`: the folder is a site in place: neither .porter nor
    what the root itself is like counts."""

    FORM = rb"%y %m %s %T@ %b %n %i\0%P\0%l\0"

    def __init__(self, folder, placed=False):
        leave_out = [b"-path", b"./.porter", b"-prune", b"-o"] if placed else []
        output = subprocess.run([b"find", b".", *leave_out, b"-printf", self.FORM], cwd=os.fsencode(folder), check=True,
                                stdout=subprocess.PIPE).stdout.split(b"\0")
        self.lines, self.names, self.holed = {}, {}, set()
        for facts, path, target in zip(output[0::3], output[1::3], output[2::3]):
            kind, mode, size, time, blocks, count, inode = facts.split()
            if placed and not path:
                continue
            self.lines[path] = {
                b"f": lambda: (kind, mode, size, time), b"d": lambda: (kind, mode, time), b"l": lambda: (kind, target, time)
            }.get(kind, lambda: (kind,))()
            if kind == b"f" and int(count) > 1:
                self.names.setdefault(inode, set()).add(path)
            if kind == b"f" and int(size) >= WORTH_A_HOLE and int(blocks) * BLOCK < int(size) // 2:
                self.holed.add(path)

    def folder_times(self):
        return {path: line[2] for path, line in self.lines.items() if line[0] == b"d"}

    def hard_links(self):
        """The groups of names that are one file; names outside of the folder do not count."""
        return {frozenset(group) for group in self.names.values() if len(group) > 1}


def drop_special_bits(folder):
    """rsync would miss them: in the source they have been looked at by now."""
    waiting = [os.fsencode(folder)]
    while waiting:
        path = waiting.pop()
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            continue
        if mode & 0o7000:
            os.chmod(path, mode & 0o777)
        if stat.S_ISDIR(mode):
            waiting += [os.path.join(path, name) for name in os.listdir(path)]


def differences(found, wanted):
    lines = ["missing: %r" % path for path in sorted(wanted.keys() - found.keys())]
    lines += ["added: %r" % path for path in sorted(found.keys() - wanted.keys())]
    lines += ["%r is %s and should be %s" % (path, found[path], wanted[path])
              for path in sorted(found.keys() & wanted.keys()) if found[path] != wanted[path]]
    return lines


def require_none(lines, what):
    if lines:
        more = ["… and %d more" % (len(lines) - SHOWN)] if len(lines) > SHOWN else []
        raise Unlike("%s:\n    %s" % (what, "\n    ".join(lines[:SHOWN] + more)))


class Judge:
    """`features`: what has to be kept of "hardlinks", "sparse", "owners", "xattrs" (rsync judges the last two). `placed`: the target is a site in place.
    `merging`: files that are alike may become one."""

    def __init__(self, features=(), placed=False, merging=False):
        self.features, self.placed, self.merging = features, placed, merging

    def compare(self, source, target, old_times):
        """Throws Unlike when the target is not the source. `old_times`: folders that may have that time instead. Gives
        back the times of all folders."""
        drop_special_bits(source)
        wanted, found = Listing(source, self.placed), Listing(target, self.placed)
        times = found.folder_times()
        old = {path for path, time in times.items() if old_times.get(path) == time}
        for path in old & wanted.folder_times().keys():
            wanted.lines[path] = (*wanted.lines[path][:2], times[path])
        require_none(differences(found.lines, wanted.lines), "find: the target is not the source")
        require_none(self.rsync(source, target, not old), "rsync would have something to do")
        if "hardlinks" in self.features:
            self.compare_hard_links(found.hard_links(), wanted.hard_links())
        if "sparse" in self.features:
            require_none([repr(path) for path in sorted(wanted.holed - found.holed)], "holes were filled")
        return times

    def compare_hard_links(self, found, wanted):
        lost = [group for group in wanted if not any(group <= other for other in found)]
        added = [] if self.merging else [group for group in found if not any(group <= other for other in wanted)]
        require_none([repr(sorted(group)) for group in lost], "hard links were lost")
        require_none([repr(sorted(group)) for group in added], "files became hard links of each other")

    def rsync(self, source, target, folder_times):
        """The lines of what a dry run would do, every content compared by checksum."""
        flags = ["-anicAX", "--delete"]
        flags += ["-H"] if "hardlinks" in self.features else []
        flags += [] if folder_times else ["--omit-dir-times"]
        flags += ["--exclude=/.porter"] if self.placed else []
        done = subprocess.run(["rsync", *flags, os.fsencode(source) + b"/", os.fsencode(target) + b"/"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = done.stdout.decode("utf-8", "backslashreplace").splitlines()
        if done.returncode:
            lines.append("exit %d" % done.returncode)
        return [line for line in lines if not (self.placed and line.startswith(".d") and line.endswith(" ./"))]


def snapshot(folder, placed=False, features=()):
    """A tree to the last byte: path → kind, mode, time and content. Change times and names outside of the folder are no
    part of it: other releases may share files."""
    found, waiting, folder, names = {}, [b""], os.fsencode(folder), {}
    while waiting:
        path = waiting.pop()
        if placed and path == b".porter":
            continue
        info = os.lstat(os.path.join(folder, path))
        found[path] = facts_of(os.path.join(folder, path), info, features)
        names.setdefault(info.st_ino, []).append(path)
        if stat.S_ISDIR(info.st_mode):
            waiting += [os.path.join(path, name) for name in os.listdir(os.path.join(folder, path))]
    if placed:
        del found[b""]
    if "hardlinks" in features:
        groups = sorted(tuple(sorted(group)) for group in names.values() if len(group) > 1)
        found[b"\0hard links"] = ("groups", tuple(groups))
    return found


def facts_of(path, info, features):
    kind, mode = stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode)
    owner = (info.st_uid, info.st_gid) if "owners" in features else ()
    if stat.S_ISLNK(info.st_mode):
        return (kind, os.readlink(path), owner)
    names = [name for name in sorted(os.listxattr(path)) if name.startswith(KEPT)] if "xattrs" in features else []
    xattrs = tuple((name, os.getxattr(path, name)) for name in names)
    if stat.S_ISDIR(info.st_mode):
        return (kind, mode, info.st_mtime_ns, xattrs, owner)
    with open(path, "rb") as file:
        return (kind, mode, info.st_mtime_ns, xattrs, owner, hashlib.sha256(file.read()).hexdigest())


def is_same_tree(one, other):
    """Whether two snapshots of a source are the same tree to a deploy."""
    return as_deployed(one) == as_deployed(other)


def folders_left_alone(one, other):
    """Folders whose times may stay as they are when `other` is deployed over `one`: those in a folder in which nothing
    changed, and the root when nothing changed at all."""
    one, other = as_deployed(one), as_deployed(other)
    changed = set()
    for path in one.keys() | other.keys():
        if one.get(path) != other.get(path):
            changed.update(above(path))
    return {path for path, facts in other.items() if facts[0] == stat.S_IFDIR and os.path.dirname(path) not in changed}


def above(path):
    """The path itself, and every folder above it up to the root."""
    found = [path]
    while path:
        path = os.path.dirname(path)
        found.append(path)
    return found


def as_deployed(tree):
    """Without special bits, and without the times of folders, which alone are no change."""
    def facts_of(facts):
        if facts[0] == stat.S_IFREG:
            return (facts[0], facts[1] & 0o777, *facts[2:])
        return (facts[0], facts[1] & 0o777, *facts[3:]) if facts[0] == stat.S_IFDIR else facts
    return {path: facts_of(facts) for path, facts in tree.items()}
