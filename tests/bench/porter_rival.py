"""porter-admin as a contestant. Each has a home and projects of its own, so that no cache of one serves another."""

import place as places
from contestant import Contestant
from place import FLEET, LINKS
from shared import porter

# Releases that stay; the deploys before a steady state are enough that older ones had to go.
KEEP, WARM_UPS = 1, 4
MODULE = """[module]
path = %s
%slayout = releases
durability = %s
keep_releases = %d
[scm]
url = file://%s
"""


class Porter(Contestant):
    steady = WARM_UPS

    def __init__(self, place, name, durability, trees):
        super().__init__(place)
        self.name, self._durability = name, durability
        self._home = place.home(name.replace(" ", "-"))
        self._single = self._project("single", [link.name for link in LINKS.values() if not link.fleet], trees)
        self._fleet = self._project("fleet", FLEET, trees)

    def _project(self, name, hosts, trees):
        folder = self._home / name
        folder.mkdir()
        (folder / "project.ini").write_text("[project]\nname = %s\ndepends = %s\n\n[hosts]\n%s" % (
            name, ", ".join(tree.name for tree in trees), "".join("%s = %s\n" % (host, host) for host in hosts)))
        for tree in trees:
            paths = "".join("path-%s = %s\n" % (host, self.folder(tree, host)) for host in hosts if host in FLEET)
            (folder / tree.name).mkdir()
            (folder / tree.name / (tree.name + ".ini")).write_text(
                MODULE % (self.folder(tree, "one"), paths, self._durability, KEEP, tree.folder))
        return folder

    def landing(self, tree, folder):
        return self.folder(tree, folder) / "current"

    def has_spare(self, tree, folder):
        """Whether an old release lies ready to become the next one."""
        spare = self.folder(tree, folder) / ".porter" / "spare"
        return spare.is_dir() and any(spare.iterdir())

    def wipe(self, tree, link):
        """The operator's caches go as well: a first copy reads and hashes everything. The agent stays there."""
        super().wipe(tree, link)
        for cache in (".cache", ".local"):
            places.remove(self._home / cache)

    def environment(self):
        return self.place.environment(self._home)

    def directory(self, link):
        return self._fleet if link.fleet else self._single

    def command(self, *words):
        return [[[porter.ADMIN, *words]]]

    def jobs(self, tree, link):
        return self.command("deploy", tree.name, "--host", ",".join(link.hosts), "--quiet", "--yes")


class PorterRun(Porter):
    """A program on many hosts, instead of a deploy."""

    def jobs(self, tree, link):
        return self.command("run", "--host", ",".join(link.hosts), "--quiet", "--", "true")
