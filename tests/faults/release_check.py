#!/usr/bin/env python3
"""What every fault program asks after a fault: is the target whole, is it the old tree or the new one, is anything
left lying about? Looks at the raw folders and shares nothing with the deployer, not even its seals: what a tree has
to be is computed from the source.

    release_check.py SITE --new FOLDER [--old FOLDER] [--layout inplace] [--settled]

I1  `current`, once there was one, is there: a relative link to releases/<id>.
I2  every entry of the live tree is as its source has it: path, kind, mode, size, SHA-256, link text; nothing is
    missing and nothing is added. So is every other release that has a seal: it can be gone back to.
I3  the verdict is OLD or NEW, and nothing else.
I4  nothing is left over after a deploy that succeeded: no half release, no temporary file, no mark, no trash.
I7  no process is left after a deadline.
"""

import argparse
import hashlib
import os
import re
import stat
import sys
import time

RELEASES, INPLACE = "releases", "inplace"
PORTER_FILES = {"format", "lock", "live", "journal", "history"}
RELEASE = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}-[0-9a-f]{4}\Z")


class Violation(AssertionError):
    """A promise that does not hold."""


def require(holds, text, *values):
    if not holds:
        raise Violation(text % values)


# --- trees ---

def entry_of(path):
    info = os.lstat(path)
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(info.st_mode):
        return ("folder", "%04o" % mode)
    require(stat.S_ISREG(info.st_mode), "%s is neither file, folder nor link", path)
    with open(path, "rb") as file:
        content = file.read()
    require(len(content) == info.st_size, "%s has %d bytes and says %d", path, len(content), info.st_size)
    return ("file", "%04o" % mode, len(content), hashlib.sha256(content).hexdigest())


def tree_of(folder, without=()):
    """Every entry below a folder: path → what it is. `without`: names at the top that are left out."""
    found, waiting = {}, [""]
    while waiting:
        below = waiting.pop()
        for name in os.listdir(os.path.join(folder, below)):
            path = os.path.join(below, name)
            if path in without:
                continue
            found[path] = entry_of(os.path.join(folder, path))
            if found[path][0] == "folder":
                waiting.append(path)
    return found


def expected(source, config_files=None, shared=()):
    """The tree that a deploy of `source` has to make: its entries, the config files (destination → file), and in
    layout releases links for the shared paths."""
    tree = tree_of(source)
    for path, file in (config_files or {}).items():
        add_parents(tree, path)
        tree[path] = entry_of(file)
    for path in shared:
        add_parents(tree, path)
        tree[path] = ("link", os.path.relpath("shared/" + path, os.path.join("releases/id", os.path.dirname(path))))
    return tree


def add_parents(tree, path):
    parent = os.path.dirname(path)
    if parent and parent not in tree:
        add_parents(tree, parent)
        tree[parent] = ("folder", "0755")


def differences(found, wanted):
    lines = ["missing: %s" % path for path in sorted(set(wanted) - set(found))]
    lines += ["added: %s" % path for path in sorted(set(found) - set(wanted))]
    lines += ["%s is %s and should be %s" % (path, found[path], wanted[path])
              for path in sorted(set(found) & set(wanted)) if found[path] != wanted[path]]
    return lines


# --- verdicts ---

class Site:
    """A target folder, and the trees that may be live there: a dict of verdict ("OLD", "NEW") → tree. `earlier`: more
    trees, that older releases may have. `left_alone`: what is at the top of an inplace tree and not deployed."""

    def __init__(self, path, layout, trees, earlier=None, left_alone=()):
        self.path, self.layout, self.trees, self.earlier = str(path), layout, trees, earlier or {}
        self.left_alone = (".porter", *left_alone)

    def verdict(self, settled=False):
        """OLD, NEW or NONE (nothing was ever live, or nothing is any more: for the caller to judge); of an inplace
        tree whose switch was cut and is not yet undone (not `settled`), BETWEEN."""
        if self.layout == INPLACE:
            return self.inplace_verdict(settled)
        for each in self.sealed():
            self.match(each, dict(self.trees, **self.earlier))
        release = self.live_release()
        return self.match(release, self.trees) if release else "NONE"

    def live_release(self):
        """I1."""
        link = os.path.join(self.path, "current" if self.layout == RELEASES else ".porter/live")
        if not os.path.lexists(link):
            return None
        require(os.path.islink(link), "%s is no link", link)
        target = os.readlink(link)
        release = re.sub("^releases/", "", target) if self.layout == RELEASES else target
        require(self.layout == INPLACE or target == "releases/" + release, "%s leads to %s", link, target)
        require(RELEASE.match(release), "%s leads to %s, which is no release", link, target)
        return release

    def match(self, release, trees):
        """I2 and I3."""
        folder = os.path.join(self.path, "releases", release)
        require(os.path.isdir(folder), "%s is not there", folder)
        found = tree_of(folder)
        for name, tree in trees.items():
            if found == tree:
                return name
        raise Violation("%s is neither of %s:\n%s" % (folder, ", ".join(trees), "\n".join(
            "  unlike %s: %s" % (name, line) for name, tree in self.trees.items()
            for line in differences(found, tree)[:10])))

    def inplace_verdict(self, settled):
        if not os.path.isdir(self.path):
            return "NONE"
        found = self.inplace_tree()
        release = self.live_release()
        for name, tree in self.trees.items():
            if found == tree:
                return name
        if not found and not release:
            return "NONE"
        require(not settled, "%s is neither of %s: %s", self.path, ", ".join(self.trees),
                differences(found, self.trees["NEW"])[:10])
        self.require_between(found)
        return "BETWEEN"

    def inplace_tree(self):
        return tree_of(self.path, without=self.left_alone)

    def require_between(self, found):
        """A switch that was cut: each file is the old or the new one, none is gone that both trees have, and the
        list that undoes it is there."""
        trees = list(self.trees.values())
        for path, entry in found.items():
            ours = [tree[path] for tree in trees if path in tree]
            require(ours, "%s was added to %s", path, self.path)
            # Folders get their modes in the end.
            kinds = [each[0] for each in ours]
            require(entry in ours or entry[0] == "folder" and "folder" in kinds, "%s of %s is %s: none of %s", path,
                    self.path, entry, ours)
        for path in set.intersection(*map(set, trees)):
            one_kind = len({tree[path][0] == "folder" for tree in trees}) == 1
            require(path in found or not one_kind, "%s of %s is gone", path, self.path)
        require(os.listdir(os.path.join(self.path, ".porter/undo")), "%s is half switched and has no undo list",
                self.path)

    # --- what lies about ---

    def sealed(self):
        """Ids that have a seal; one that is being written has another name."""
        return {name for name in names(os.path.join(self.path, ".porter/manifests")) if RELEASE.match(name)}

    def require_settled(self, keep=None, left=False):
        """I4, after a deploy that succeeded. `keep`: how many releases may stay. `left`: beside them bad ones, which
        somebody went back from."""
        sealed = names(os.path.join(self.path, ".porter/manifests"))
        require(self.live_release() in sealed, "the live release has no seal")
        porter = os.path.join(self.path, ".porter")
        kept_apart = {folder: names(os.path.join(porter, folder)) for folder in ("bad", "outside", "undo")}
        for folder, found in kept_apart.items():
            require(found <= sealed, ".porter/%s holds %s, which has no seal", folder, sorted(found - sealed))
        for folder in ("staging", "trash", "frozen"):
            require(not names(os.path.join(porter, folder)), ".porter/%s is not empty: %s", folder,
                    sorted(names(os.path.join(porter, folder))))
        known = PORTER_FILES | {"manifests", "staging", "trash", "spare", "spare.seal", "pinned", "frozen"}
        known |= set(kept_apart)
        require(names(porter) <= known, "strays in .porter: %s", sorted(names(porter) - known))
        if self.layout == RELEASES:
            self.require_releases(sealed - kept_apart["bad"], kept_apart["bad"] if left else set(), keep)
        else:
            require(kept_apart["undo"] <= {self.live_release()}, "undo lists of %s", sorted(kept_apart["undo"]))

    def require_releases(self, good, left, keep):
        top = {".porter", "releases", "current", "shared"}
        require(names(self.path) <= top, "strays: %s", sorted(names(self.path) - top))
        there = names(os.path.join(self.path, "releases"))
        require(there - left == good, "releases %s, and seals of %s", sorted(there), sorted(good))
        require(keep is None or len(good) <= max(keep, 2), "%d releases, and %s are to be kept", len(good), keep)


def names(folder):
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def require_no_process(find, seconds=20):
    """I7. `find` gives what still runs."""
    end = time.monotonic() + seconds
    while find():
        require(time.monotonic() < end, "still running after %s s: %s", seconds, find())
        time.sleep(0.005)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site")
    parser.add_argument("--new", required=True, metavar="FOLDER", help="a folder that is just as the tree has to be")
    parser.add_argument("--old", metavar="FOLDER")
    parser.add_argument("--layout", choices=(RELEASES, INPLACE), default=RELEASES)
    parser.add_argument("--settled", action="store_true", help="nothing may be left over (I4)")
    arguments = parser.parse_args()
    trees = {name: tree_of(folder) for name, folder in (("OLD", arguments.old), ("NEW", arguments.new)) if folder}
    site = Site(arguments.site, arguments.layout, trees)
    try:
        print(site.verdict(arguments.settled))
        if arguments.settled:
            site.require_settled()
    except Violation as violation:
        sys.exit("VIOLATION: %s" % violation)


if __name__ == "__main__":
    main()
