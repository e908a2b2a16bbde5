"""Who is compared: porter-admin, twice, and what people use instead. A contestant knows its command, where its target
lies, and how to forget a target."""

import shutil
import subprocess

import judge
import porter

CURVE = "KexAlgorithms=curve25519-sha256"
# Releases that stay; the deploys before a steady state are enough that older ones had to go.
KEEP, WARM_UPS = 1, 4


class Contestant:
    """`updates`: whether a second run sends only what changed; without, it takes part in first copies only."""

    updates, keeps = True, judge.FULL

    def __init__(self, place):
        self.place = place

    def folder(self, tree):
        return self.place.targets / self.name.replace(" ", "-") / tree.name

    def landing(self, tree):
        return self.folder(tree)

    def wipe(self, tree):
        shutil.rmtree(self.folder(tree), ignore_errors=True)
        self.folder(tree).mkdir(parents=True)

    def environment(self):
        return self.place.environment()

    def directory(self):
        return self.place.folder

    def prepare(self, link):
        """What lasts from run to run, such as a connection that is kept open."""


class Porter(Contestant):
    """One project a contestant, so that no cache of one serves the other."""

    steady = WARM_UPS

    def __init__(self, place, name, durability, trees, hosts):
        super().__init__(place)
        self.name, self.durability = name, durability
        self.home = place.home(name.replace(" ", "-"))
        self._project = self.home / "project"
        self._project.mkdir()
        (self._project / "project.ini").write_text("[project]\nname = bench\ndepends = %s\n\n[hosts]\n%s" % (
            ", ".join(tree.name for tree in trees), "".join("%s = %s\n" % (host, host) for host in hosts)))
        for tree in trees:
            self._module(tree)

    def _module(self, tree, more=""):
        (self._project / tree.name).mkdir()
        (self._project / tree.name / (tree.name + ".ini")).write_text(
            "[module]\npath = %s\nlayout = releases\ndurability = %s\nkeep_releases = %d\n%s[scm]\nurl = file://%s\n" % (
                self.folder(tree), self.durability, KEEP, more, tree.folder))

    def landing(self, tree):
        return self.folder(tree) / "current"

    def wipe(self, tree):
        """The operator's caches go as well: a first copy reads and hashes everything. The agent stays there."""
        super().wipe(tree)
        for cache in (".cache", ".local"):
            shutil.rmtree(self.home / cache, ignore_errors=True)

    def environment(self):
        return self.place.environment(self.home)

    def directory(self):
        return self._project

    def commands(self, tree, link):
        return [[porter.ADMIN, "deploy", tree.name, "--host", link.name, "--quiet", "--yes"]]


class Rsync(Contestant):
    def __init__(self, place, name, *ssh_options):
        super().__init__(place)
        self.name, self._ssh_options = name, ssh_options

    def shell(self, link):
        return " ".join(self.place.ssh(*self._ssh_options))

    def options(self, link):
        return []

    def commands(self, tree, link):
        return [["rsync", "-a", "--delete", *self.options(link), "-e", self.shell(link), "%s/" % tree.folder,
                 "%s:%s/" % (link.name, self.landing(tree))]]


class StrongRsync(Rsync):
    """rsync by somebody who knows it: no recursion in steps, a warm connection, and compression for thin links."""

    def prepare(self, link):
        self.place.master(link.name, "-o", CURVE)

    def shell(self, link):
        return " ".join(self.place.ssh("-S", str(self.place.master(link.name))))

    def options(self, link):
        return ["--no-inc-recursive"] + (["-z", "--zc=zstd"] if link.bits else [])


class RsyncZ(Rsync):
    def options(self, link):
        return ["-z"]


class Scp(Contestant):
    updates, keeps, name = False, judge.CONTENT, "scp -r"

    def landing(self, tree):
        return self.folder(tree) / tree.folder.name

    def commands(self, tree, link):
        return [["scp", "-F", str(self.place.config), "-q", "-r", str(tree.folder),
                 "%s:%s/" % (link.name, self.folder(tree))]]


class Tar(Contestant):
    """tar through ssh, in the format that keeps times as exact as they are."""

    updates, name = False, "tar over ssh"

    def commands(self, tree, link):
        return [["tar", "-C", str(tree.folder), "--format=posix", "-cf", "-", "."],
                self.place.ssh(link.name, "tar", "-C", str(self.landing(tree)), "-xpf", "-")]


def everybody(place, trees, hosts):
    return [Porter(place, "porter", "full", trees, hosts), Porter(place, "porter none", "none", trees, hosts),
            Rsync(place, "rsync"), Rsync(place, "rsync curve", "-o", CURVE), StrongRsync(place, "rsync strong"),
            RsyncZ(place, "rsync z"), Scp(place), Tar(place)]
