"""Random edits of a tree, one function a kind; each gives back what it did, or None where there is nothing to edit."""

import os
import shutil
import stat

import names
from trees import KIB, MIB


def is_file(entry):
    return entry.file


def is_folder(entry):
    return entry.folder


def is_link(entry):
    return entry.link


def anything(_):
    return True


# --- content ---

def change_content(tree, entry, change, time=None):
    """`change(content)` gives the new content, written into the file or put in its place. The time is that of the clock
    unless `time` is given."""
    content = change(tree.read(entry.path))
    if tree.rng.random() < 0.5:
        tree.write(entry.path, content, entry.mode)
    else:
        with tree.opened(os.path.dirname(entry.path)):
            os.unlink(tree.at(entry.path))
        tree.write(entry.path, content, entry.mode)
    tree.set_time(entry.path, time)


def with_other_bytes(rng, content):
    """The same size, with a byte or some changed."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 5, 200])):
        changed[rng.randrange(len(changed))] ^= rng.randint(1, 255)
    return bytes(changed)


def rewrite(tree):
    entry = tree.pick(is_file)
    if entry:
        change_content(tree, entry, lambda _: tree.bytes(tree.size()), tree.time())
        return "new content", entry.path
    return None


def rewrite_same_size(tree):
    entry = tree.pick(lambda each: each.file and each.info.st_size > 0)
    if entry:
        change_content(tree, entry, lambda content: with_other_bytes(tree.rng, content), tree.time())
        return "other bytes", entry.path
    return None


def rewrite_same_size_and_time(tree):
    entry = tree.pick(lambda each: each.file and each.info.st_size > 0)
    if entry:
        change_content(tree, entry, lambda content: with_other_bytes(tree.rng, content), entry.info.st_mtime_ns)
        return "other bytes, same size and time", entry.path
    return None


def insert_in_front(tree):
    entry = tree.pick(is_file)
    if entry:
        change_content(tree, entry, lambda content: tree.bytes(tree.rng.choice([1, 100, 5000])) + content)
        return "inserted in front", entry.path
    return None


def insert_inside(tree):
    entry = tree.pick(lambda each: each.file and each.info.st_size > 1)
    if entry:
        at = tree.rng.randrange(entry.info.st_size)
        change_content(tree, entry, lambda old: old[:at] + tree.bytes(tree.rng.choice([1, 700])) + old[at:])
        return "inserted inside", entry.path
    return None


def append(tree):
    entry = tree.pick(is_file)
    if entry:
        change_content(tree, entry, lambda content: content + tree.bytes(tree.rng.choice([1, 100, 70 * KIB])))
        return "appended", entry.path
    return None


def cut_short(tree):
    entry = tree.pick(lambda each: each.file and each.info.st_size > 0)
    if entry:
        size = tree.rng.choice([0, entry.info.st_size - 1, entry.info.st_size // 2])
        change_content(tree, entry, lambda content: content[:size], tree.time())
        return "cut short", entry.path
    return None


def swap_contents(tree):
    """Both contents are on the target, each at the other's place; the times may stay with the names."""
    one = tree.pick(lambda each: each.file and each.info.st_size < MIB)
    other = tree.pick(lambda each: each.file and each.info.st_size < MIB)
    if one and one.path != other.path:
        first, second = tree.read(one.path), tree.read(other.path)
        keep = tree.rng.random() < 0.5
        change_content(tree, one, lambda _: second, one.info.st_mtime_ns if keep else None)
        change_content(tree, other, lambda _: first, other.info.st_mtime_ns if keep else None)
        return "swapped contents", one.path, other.path
    return None


def rewrite_unchanged(tree):
    """A file made anew with the content and mode that it had."""
    entry = tree.pick(is_file)
    if entry:
        change_content(tree, entry, lambda content: content, tree.rng.choice([None, entry.info.st_mtime_ns]))
        return "made anew, the same", entry.path
    return None


def extend_sparse(tree):
    """A hole at the end, and perhaps something behind it."""
    entry = tree.pick(lambda each: each.file and each.info.st_size < 2 * MIB)
    if entry:
        os.chmod(tree.at(entry.path), entry.mode | 0o600)
        with open(tree.at(entry.path), "r+b") as file:
            file.truncate(entry.info.st_size + tree.rng.choice([4 * KIB, 300 * KIB, MIB]))
            if tree.rng.random() < 0.5:
                file.seek(0, os.SEEK_END)
                file.write(tree.rng.randbytes(10))
        os.chmod(tree.at(entry.path), entry.mode)
        return "a hole at the end", entry.path
    return None


# --- modes and times ---

def change_mode(tree):
    entry = tree.pick(lambda each: not each.link)
    if entry:
        os.chmod(tree.at(entry.path), tree.folder_mode() if entry.folder else tree.file_mode())
        return "chmod", entry.path
    return None


def make_folder_read_only(tree):
    entry = tree.pick(is_folder)
    if entry:
        os.chmod(tree.at(entry.path), tree.rng.choice([0o555, 0o500]))
        return "read-only", entry.path
    return None


def touch(tree):
    entry = tree.pick(anything)
    if entry:
        tree.set_time(entry.path, tree.time() or entry.info.st_mtime_ns + tree.rng.choice([1, -1, 10 ** 9]))
        return "touched", entry.path
    return None


def touch_files(tree):
    """As a fresh checkout does it: content and mode are the same."""
    for entry in tree.entries():
        if entry.file and tree.rng.random() < 0.2:
            tree.set_time(entry.path, tree.time() or entry.info.st_mtime_ns + 1)
    return "touched files", b""


def change_modes(tree):
    for entry in tree.entries():
        if entry.file and tree.rng.random() < 0.1:
            os.chmod(tree.at(entry.path), tree.file_mode())
    return "chmod of files", b""


def touch_folders(tree):
    """What is no change of a tree by itself."""
    for path in tree.folders():
        if tree.rng.random() < 0.5:
            tree.set_time(path, tree.time())
    return "touched folders", b""


# --- names ---

def move(tree, old, new):
    """By rename. Moving a folder changes what it calls "..", so its owner has to be able to write to it."""
    with tree.opened(os.path.dirname(old)), tree.opened(os.path.dirname(new)):
        mode = os.lstat(tree.at(old)).st_mode
        closed = stat.S_ISDIR(mode) and not mode & 0o200
        if closed:
            os.chmod(tree.at(old), 0o700)
        os.rename(tree.at(old), tree.at(new))
        if closed:
            os.chmod(tree.at(new), stat.S_IMODE(mode))


def deepest_below(tree, path):
    """How much longer than itself the longest path below a folder is, in bytes and in folders."""
    below = [entry.path[len(path):] for entry in tree.entries() if entry.path.startswith(path + b"/")]
    return max(map(len, below), default=0), max((each.count(b"/") for each in below), default=0)


def rename(tree):
    entry = tree.pick(anything)
    if entry:
        new = tree.fresh_path(os.path.dirname(entry.path))
        move(tree, entry.path, new)
        return "renamed", entry.path, new
    return None


def move_elsewhere(tree):
    entry, folder = tree.pick(anything), tree.some_folder()
    if entry and not (folder + b"/").startswith(entry.path + b"/"):
        longer, deeper = deepest_below(tree, entry.path)
        if len(folder) + longer < 2500 and folder.count(b"/") + deeper < 80:
            new = tree.fresh_path(folder)
            move(tree, entry.path, new)
            return "moved", entry.path, new
    return None


def rename_in_case(tree):
    entry = tree.pick(lambda each: names.in_other_case(os.path.basename(each.path)))
    if entry:
        new = os.path.join(os.path.dirname(entry.path), names.in_other_case(os.path.basename(entry.path)))
        if not os.path.lexists(tree.at(new)):
            move(tree, entry.path, new)
            return "renamed in case", entry.path, new
    return None


def swap_names(tree):
    """Two entries of one folder, of whatever kinds, change places."""
    one = tree.pick(anything)
    if one:
        folder = os.path.dirname(one.path)
        other = tree.pick(lambda each: os.path.dirname(each.path) == folder and each.path != one.path)
        if other:
            aside = tree.fresh_path(folder)
            for old, new in ((one.path, aside), (other.path, one.path), (aside, other.path)):
                move(tree, old, new)
            return "swapped", one.path, other.path
    return None


# --- what is there ---

def remove(tree, entry):
    with tree.opened(os.path.dirname(entry.path)):
        if not entry.folder:
            return os.unlink(tree.at(entry.path))
        for each in tree.entries():
            if each.folder and (each.path + b"/").startswith(entry.path + b"/"):
                os.chmod(tree.at(each.path), 0o700)
        shutil.rmtree(tree.at(entry.path))


def remove_one(tree, wanted=None):
    entry = tree.pick(wanted or anything)
    if entry:
        remove(tree, entry)
        return "removed", entry.path
    return None


def remove_folder(tree):
    return remove_one(tree, is_folder)


def add(tree):
    folder = tree.some_folder()
    for _ in range(tree.rng.choice([1, 1, 5])):
        tree.add_something(folder)
    return "added to", folder


def add_many(tree):
    tree.add_many(tree.rng.choice([20, 60]))
    return "many files", b""


def change_kind(tree):
    """File, folder and link: one becomes another, in every direction, with or without something in the folder."""
    entry = tree.pick(anything)
    if entry:
        is_now = {"file": entry.file, "folder": entry.folder, "link": entry.link}
        kind = tree.rng.choice([each for each in is_now if not is_now[each]])
        remove(tree, entry)
        if kind == "file":
            tree.add_file(entry.path)
        elif kind == "link":
            tree.add_link(entry.path)
        else:
            tree.add_folder(entry.path, tree.rng.choice([0, 0, 1, 4]))
        return "became a " + kind, entry.path
    return None


def retarget(tree):
    entry = tree.pick(is_link)
    if entry:
        remove(tree, entry)
        tree.make_link(entry.path, tree.link_target(entry.path))
        if tree.rng.random() < 0.5:
            tree.set_time(entry.path, entry.info.st_mtime_ns)
        return "leads elsewhere", entry.path
    return None


# --- hard links ---

def add_hard_link(tree):
    path = tree.fresh_path(tree.some_folder())
    other = tree.add_hard_link(path)
    return ("second name", other.path, path) if other else None


def part_hard_link(tree):
    """One name of several becomes a file of its own, the same in everything else, or its content changes alone."""
    entry = tree.pick(lambda each: each.has_names)
    if entry:
        content = tree.read(entry.path)
        remove(tree, entry)
        tree.write(entry.path, content if tree.rng.random() < 0.5 else content + b"parted", entry.mode)
        tree.set_time(entry.path, entry.info.st_mtime_ns)
        return "parted", entry.path
    return None


def join_hard_link(tree):
    """A file becomes a second name of another."""
    entry = tree.pick(is_file)
    if entry:
        other = tree.pick(lambda each: each.file and each.info.st_ino != entry.info.st_ino)
        if other:
            remove(tree, entry)
            with tree.opened(os.path.dirname(entry.path)):
                os.link(tree.at(other.path), tree.at(entry.path))
            return "joined", entry.path, other.path
    return None


def change_xattr(tree):
    entry = tree.pick(lambda each: each.file or each.folder)
    if not entry or "xattrs" not in tree.features:
        return None
    os.chmod(tree.at(entry.path), 0o700)  # with an access control list the mode is none of its own any more
    for name in sorted(os.listxattr(tree.at(entry.path))):
        if name.startswith(("user.", "system.posix_acl")) and tree.rng.random() < 0.5:
            os.removexattr(tree.at(entry.path), name)
    os.chmod(tree.at(entry.path), entry.mode)
    tree.add_xattr(entry.path)
    return "other attributes", entry.path


def change_owner(tree):
    entry = tree.pick(anything)
    if not entry or "owners" not in tree.features:
        return None
    tree.add_owner(entry.path)
    return "other owner", entry.path


KINDS = [rewrite, rewrite_same_size, rewrite_same_size_and_time, insert_in_front, insert_inside, append, cut_short,
         swap_contents, rewrite_unchanged, extend_sparse, change_mode, change_modes, make_folder_read_only,
         touch, touch_files, touch_folders, rename, move_elsewhere, rename_in_case, swap_names, remove_one,
         remove_folder, add, add, add, add_many, change_kind, change_kind, change_kind, retarget, add_hard_link,
         part_hard_link, join_hard_link, change_xattr,
         change_owner]


def some(tree, count):
    """So many random edits; gives back a line about each."""
    done = []
    while len(done) < count:
        told = tree.rng.choice(KINDS)(tree)
        if told:
            done.append("%s: %s" % (told[0], " → ".join(repr(path)[1:] for path in told[1:])))
    return done
