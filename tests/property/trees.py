"""A random tree in a folder: every kind of entry, size, mode and time, made and found again. What it is filled with
follows from its random generator alone, but for the times that are left to the clock."""

import contextlib
import errno
import os
import stat
import struct

import names

KIB, MIB = 1 << 10, 1 << 20
DEEPEST, LONGEST_PATH = 90, 3000  # of what is made here; both ends take a little more
FILE_MODES = [0o644] * 6 + [0o755, 0o755, 0o600, 0o640, 0o664, 0o777, 0o700, 0o444, 0o400, 0o500, 0o604, 0o461]
ROOT_FILE_MODES = [0o000, 0o111, 0o222, 0o070]  # nobody else could read them again
SPECIAL_MODES = [0o4755, 0o2755, 0o6711, 0o1644]
FOLDER_MODES = [0o755] * 6 + [0o700, 0o750, 0o775, 0o777, 0o711, 0o555, 0o555, 0o500]
ROOT_FOLDER_MODES = [0o000, 0o311, 0o222]
SPECIAL_FOLDER_MODES = [0o2775, 0o1777]
OWNERS = [0, 0, 1, 33, 65534, 12345]  # some have names on most machines
SECOND = 10 ** 9
LATEST = 9_223_372_000 * SECOND + 7  # in 2262: what nanoseconds in 64 bits can say, nearly
TIMES = [0, 1, -1, SECOND, 999_999_999, -SECOND - 1, -2 ** 31 * SECOND, (2 ** 31 - 1) * SECOND + 999_999_999,
         2 ** 31 * SECOND, (2 ** 32 + 5) * SECOND + 7, LATEST]

LINK_TARGETS = [b".", b"..", b"../../..", b"/", b"/etc/passwd", b"/nowhere/at/all", b"dangling", b"./a//b/../c/", b" ",
                b"-", b"new\nline", b"\xff\xfe", "é".encode(), b"x" * 4095, b"y" * 60, b"a -> b"]


class Entry:
    """What stands at a path of the tree, as it is now."""

    def __init__(self, path, info):
        self.path, self.info, self.depth = path, info, path.count(b"/") + 1
        self.folder, self.link = stat.S_ISDIR(info.st_mode), stat.S_ISLNK(info.st_mode)
        self.file = stat.S_ISREG(info.st_mode)
        self.mode = stat.S_IMODE(info.st_mode)
        self.has_names = self.file and info.st_nlink > 1


class Tree:
    """Attributes are made when `features` has "xattrs", and foreign owners (by root) when it has "owners"; hard links
    and sparse files are always made."""

    def __init__(self, root, rng, features=()):
        self.root, self.rng, self.features = os.fsencode(root), rng, features
        self.is_root = os.geteuid() == 0

    def at(self, path):
        return os.path.join(self.root, path) if path else self.root

    # --- looking ---

    def entries(self):
        """Every entry below the root, in an order that does not depend on the disk."""
        found, waiting = [], [b""]
        while waiting:
            folder = waiting.pop()
            for name in sorted(os.listdir(self.at(folder))):
                entry = Entry(os.path.join(folder, name), os.lstat(self.at(os.path.join(folder, name))))
                found.append(entry)
                if entry.folder:
                    waiting.append(entry.path)
        return sorted(found, key=lambda entry: entry.path)

    def folders(self):
        return [b""] + [entry.path for entry in self.entries() if entry.folder]

    def pick(self, accept):
        """One of the entries that `accept` takes, or None."""
        found = [entry for entry in self.entries() if accept(entry)]
        return self.rng.choice(found) if found else None

    def some_folder(self, deepest=DEEPEST):
        """A folder that has room below it for names of any length."""
        return self.rng.choice([path for path in self.folders()
                                if path.count(b"/") + 1 < deepest and len(path) < LONGEST_PATH - names.LONGEST])

    def fresh_path(self, folder):
        return os.path.join(folder, names.fresh(self.rng, set(os.listdir(self.at(folder)))))

    # --- random values ---

    def size(self):
        around = self.rng.choice([64, 128, 256]) * KIB + self.rng.choice([-1, 0, 0, 1, 700])
        return self.rng.choices([0, 1, self.rng.randint(2, 200), self.rng.randint(200, 20_000), around,
                                 self.rng.randint(MIB, 3 * MIB)], [10, 6, 35, 30, 12, 3])[0]

    def bytes(self, size):
        """Noise, text that can be compressed, one byte over and over, or what others may have, too."""
        kind = self.rng.random()
        if kind < 0.5:
            return self.rng.randbytes(size)
        line = b"line %d of a text\n" % self.rng.randrange(4) if kind < 0.8 else self.rng.choice([b"\0", b"x", b"\n"])
        return (line * (size // len(line) + 1))[:size]

    def file_mode(self):
        more = ROOT_FILE_MODES if self.is_root else []
        return self.rng.choice(self.rng.choices([FILE_MODES, SPECIAL_MODES, more or FILE_MODES], [90, 5, 5])[0])

    def folder_mode(self):
        more = ROOT_FOLDER_MODES if self.is_root else []
        modes = self.rng.choices([FOLDER_MODES, SPECIAL_FOLDER_MODES, more or FOLDER_MODES], [90, 5, 5])[0]
        return self.rng.choice(modes)

    def time(self):
        """Nanoseconds; None leaves it to the clock."""
        kind = self.rng.random()
        if kind < 0.3:
            return None
        if kind < 0.5:
            return self.rng.choice(TIMES)
        return self.rng.randrange(10 ** 9, 2 * 10 ** 9) * SECOND + self.rng.choice([0, 1, self.rng.randrange(SECOND)])

    def link_target(self, path):
        """Where a link at `path` may lead: to something that is there or not, near or far, or in a circle."""
        others = [entry.path for entry in self.entries()]
        up = b"../" * path.count(b"/")
        near = [up + self.rng.choice(others)] if others else []
        return self.rng.choice(near * 6 + LINK_TARGETS + [os.path.basename(path), self.at(b""), up + b"."])

    # --- making ---

    @contextlib.contextmanager
    def opened(self, path):
        """Lets the owner change what is in a folder of any mode, and gives it its mode back."""
        mode = stat.S_IMODE(os.lstat(self.at(path)).st_mode)
        if mode & 0o700 != 0o700:
            os.chmod(self.at(path), mode | 0o700)
        try:
            yield
        finally:
            if mode & 0o700 != 0o700:
                os.chmod(self.at(path), mode)

    def set_time(self, path, time):
        if time is not None:
            os.utime(self.at(path), ns=(time, time), follow_symlinks=False)

    def write(self, path, content, mode=None):
        with self.opened(os.path.dirname(path)):
            if os.path.lexists(self.at(path)):
                os.chmod(self.at(path), 0o600)
            with open(self.at(path), "wb") as file:
                file.write(content)
            os.chmod(self.at(path), self.file_mode() if mode is None else mode)

    def add_file(self, path):
        kind = self.rng.random()
        if kind < 0.06:
            return self.add_sparse(path)
        if kind < 0.14 and self.add_hard_link(path):
            return
        if not (kind < 0.24 and self.add_copy(path)):
            self.write(path, self.bytes(self.size()))
        self.add_xattr(path)
        self.add_owner(path)
        self.set_time(path, self.time())

    def add_sparse(self, path):
        self.write(path, b"", 0o644)
        with open(self.at(path), "r+b") as file:
            file.truncate(self.rng.randint(256 * KIB, 2 * MIB))
            for _ in range(self.rng.randrange(3)):
                file.seek(self.rng.randrange(256 * KIB))
                file.write(self.rng.randbytes(self.rng.randint(1, 5000)))
        self.set_time(path, self.time())

    def add_copy(self, path):
        """The content of another file, which then need not be sent."""
        other = self.pick(lambda entry: entry.file and entry.info.st_size < MIB)
        if other:
            self.write(path, self.read(other.path))
        return other

    def read(self, path):
        with open(self.at(path), "rb") as file:
            return file.read()

    def add_hard_link(self, path):
        other = self.pick(lambda entry: entry.file)
        if other:
            with self.opened(os.path.dirname(path)):
                os.link(self.at(other.path), self.at(path))
        return other

    def add_xattr(self, path):
        if "xattrs" not in self.features or self.rng.random() < 0.6:
            return
        mode = stat.S_IMODE(os.lstat(self.at(path)).st_mode)
        os.chmod(self.at(path), 0o700)
        os.setxattr(self.at(path), b"user." + self.rng.choice([b"one", b"two", b"with space", b"\xc3\xa9"]),
                    self.rng.randbytes(self.rng.choice([0, 1, 40, 900])))
        os.chmod(self.at(path), mode)
        if self.rng.random() < 0.3:
            self.add_acl(path)

    def add_acl(self, path):
        """Changes the mode as well: a list that names users and groups is as good as one."""
        names = ["access", "default"] if os.path.isdir(self.at(path)) else ["access"]
        entries = [(1, 7), (2, self.rng.randrange(8), 12345), (4, 5), (0x10, self.rng.choice([4, 5, 7])), (0x20, 4)]
        packed = b"".join(struct.pack("<HHI", tag, bits, *(named or [0xFFFFFFFF])) for tag, bits, *named in entries)
        os.setxattr(self.at(path), "system.posix_acl_" + self.rng.choice(names), struct.pack("<I", 2) + packed)

    def add_owner(self, path):
        if "owners" in self.features and self.is_root and self.rng.random() < 0.4:
            info = os.lstat(self.at(path))
            os.chown(self.at(path), self.rng.choice(OWNERS), self.rng.choice(OWNERS), follow_symlinks=False)
            if not stat.S_ISLNK(info.st_mode):
                os.chmod(self.at(path), stat.S_IMODE(info.st_mode))

    def add_link(self, path):
        self.make_link(path, self.link_target(path))
        self.add_owner(path)
        self.set_time(path, self.time())

    def make_link(self, path, target):
        with self.opened(os.path.dirname(path)):
            try:
                os.symlink(target, self.at(path))
            except OSError as problem:
                if problem.errno != errno.ENAMETOOLONG:
                    raise
                os.symlink(target[:1000], self.at(path))  # some file systems take no longer ones

    def add_folder(self, path, entries=0):
        """A folder with so many entries, whose mode and time come last."""
        with self.opened(os.path.dirname(path)):
            os.mkdir(self.at(path), 0o700)
        for _ in range(entries):
            self.add_something(path)
        self.add_xattr(path)
        self.add_owner(path)
        os.chmod(self.at(path), self.folder_mode())
        self.set_time(path, self.time())

    def add_something(self, folder):
        if len(folder) > LONGEST_PATH - names.LONGEST or folder.count(b"/") > DEEPEST:
            return
        path, kind = self.fresh_path(folder), self.rng.random()
        if kind < 0.65:
            self.add_file(path)
        elif kind < 0.82:
            self.add_link(path)
        else:
            self.add_folder(path, self.rng.choice([0, 0, 1, 3]))

    def add_deep(self):
        """Folders in folders; the last one holds a file."""
        path = self.some_folder(10)
        for _ in range(self.rng.choice([10, 20, 40, DEEPEST - 15])):
            above, path = path, self.fresh_path(path) if self.rng.random() < 0.05 else os.path.join(path, b"deep")
            if os.path.lexists(self.at(path)):
                return
            with self.opened(above):
                os.mkdir(self.at(path), 0o755)
        self.add_file(self.fresh_path(path))

    def add_many(self, count):
        """Many small files in one folder."""
        path = self.fresh_path(self.some_folder(20))
        self.add_folder(path)
        with self.opened(path):
            for number in range(count):
                with open(self.at(path + b"/f%d" % number), "wb") as file:
                    file.write(self.rng.randbytes(self.rng.choice([0, 10, 100, 3000])))

    def fill(self):
        for _ in range(self.rng.choice([0, 1, 5, 10, 20, 40])):
            self.add_something(self.rng.choice([b"", self.some_folder()]))
        if self.rng.random() < 0.3:
            self.add_deep()
        if self.rng.random() < 0.2:
            self.add_many(self.rng.choice([30, 100, 300]))
        os.chmod(self.root, self.rng.choice(FOLDER_MODES))
        self.set_time(b"", self.time())
