"""Series of rounds. A series is one source and one target; each of its rounds edits the source, deploys it in some way
and asks the judge. All that is random follows from the number of the series."""

import collections
import fcntl
import os
import random
import re
import shutil

import edits
import judge
import kills
import porter
import trees

ROUNDS = 10  # in a series
FAR = (4, 8)  # rounds over SSH, in every other series
LAYOUTS = ("releases", "inplace")
LONGEST = 120  # seconds that a deploy may take
TAKEN = "taken from an interrupted send"
PLAIN_PATH = re.compile(rb"[\w./-]+\Z")


class Series(porter.Case):
    """The first round makes the first copy; the later ones find what the earlier ones have left."""

    def runTest(self):
        """A Case needs one."""

    def __init__(self, number, far, features=()):
        super().__init__()
        self.rng = random.Random(number)
        self.features = features
        self.layout = LAYOUTS[number % 2]
        self.placed = self.layout == "inplace"
        self.setUp()
        self.can_share = can_share(self.folder)
        self.traits = self.random_traits()
        self.make_project()
        self.server = self.make_far() if far else None
        self.tree = trees.Tree(self.source, self.rng, features)
        self.releases = {}  # id → what it was when it was made
        self.deployed = self.deployed_traits = None  # the source and the settings when they were deployed last
        self.merging = False  # files of the target that are alike may have become one
        self.folder_times = {}  # on the target, after the last deploy
        self.lives = []  # what was live, one after the other
        self.counts, self.told = collections.Counter(), []

    def random_traits(self):
        return {"layout": self.layout, "keep_releases": self.rng.choice([1, 1, 2, 3]), "link": self.random_link(),
                "durability": self.rng.choice(["none", "none", "none", "full"]),
                "delete": self.rng.choice(["listed", "listed", "unknown"]),
                **({"xattrs": "yes"} if "xattrs" in self.features else {}),
                **({"owners": self.rng.choice(["names", "numbers"])} if "owners" in self.features else {})}

    def random_link(self):
        link = self.rng.choice(["auto", "auto", "auto", "auto", "hard", "hard", "copy", "reflink"])
        return "auto" if link == "reflink" and not self.can_share else link

    def make_project(self):
        """The source is a plain folder: the module's own, or one that is named."""
        url = self.rng.choice(["", "file://tree", "file://%s" % (self.folder / "elsewhere")])
        self.scm = "[scm]\nurl = " + url if url else ""
        self.project(hosts="here = local:\nthere = there")
        self.write_settings()
        folders = {"": self.directory / "app/src", "file://tree": self.directory / "app/tree"}
        self.source = folders.get(url, self.folder / "elsewhere")
        shutil.rmtree(self.directory / "app/src")
        self.source.mkdir()

    def write_settings(self):
        self.ini("\n".join(["%s = %s" % each for each in self.traits.items()] + [self.scm]))

    def make_far(self):
        server = self.sshd()
        self.ssh_config("there", server)
        return server

    # --- the target ---

    def live(self):
        """Where the live tree lies; None when there is none."""
        if self.placed:
            return self.site() if os.path.lexists(self.site() / ".porter/live") else None
        return self.current() if os.path.lexists(self.current()) else None

    def live_id(self):
        if self.live() is None:
            return None
        return os.readlink(self.site() / ".porter/live") if self.placed else self.release_of()

    def look_at_releases(self):
        """Every release that is there is as it was when it was made."""
        if self.placed:
            there = {self.live_id(): self.site()} if self.live() else {}
        else:
            folder = self.site() / "releases"
            sealed = set(kills.listed(self.site() / ".porter/manifests"))
            there = {name: folder / name for name in kills.listed(folder) if name in sealed}
        for name, folder in there.items():
            if name in self.releases:
                lines = judge.differences(self.snapshot(folder, self.placed), self.releases[name])
                judge.require_none(lines, "release %s is not what it was when it was made" % name)
        self.releases = {name: tree for name, tree in self.releases.items() if name in there}

    # --- rounds ---

    def round(self, place):
        self.told, self.killed, self.unsure = [], False, False
        self.host = "there" if self.server and place in FAR else "here"
        self.edit(place)
        if place and self.rng.random() < 0.15:
            self.deploy_unreadable()
        while self.rng.random() < 0.2:
            self.deploy_killed()
        self.deploy_and_judge(place)
        self.counts["rounds"] += 1
        self.counts[self.layout] += 1
        self.counts["over SSH"] += self.host == "there"

    def edit(self, place):
        if place and self.rng.random() < 0.15:
            self.traits["link"] = self.random_link()
            self.write_settings()
            self.told.append("link = " + self.traits["link"])
        if place == 0:
            self.tree.fill()
        elif self.rng.random() < 0.05:
            self.told.append("no edit")
        else:
            self.told += edits.some(self.tree, self.rng.choice([1, 1, 2, 3, 5, 8]))

    def deploy_and_judge(self, place):
        source, before = self.snapshot(self.source), self.live_id()
        changed = self.deployed_traits != self.traits or not judge.is_same_tree(source, self.deployed)
        result = self.run_deploy()
        self.assertEqual(result.code, porter.OK, result)
        self.counts[self.way(place, changed)] += 1
        self.counts[TAKEN] += " resumed" in result.err
        if changed:
            self.assertFalse(os.path.lexists(self.site() / ".porter/interrupted"), "what was interrupted is still there")
        if not self.unsure:
            self.assertEqual(self.live_id() != before, changed, "the source %s, what is live was %s and is %s: %s" % (
                "changed" if changed else "did not change", before, self.live_id(), result))
        self.merging |= self.traits["link"] == "hard"
        is_right = judge.Judge(self.features, self.placed, self.merging)
        self.folder_times = is_right.compare(self.source, self.live(), self.old_folder_times(source))
        self.look_at_seal()
        self.look_at_releases()
        if self.live_id() not in self.releases:
            self.note(source)

    def way(self, place, changed):
        """What kind of round it was."""
        if self.killed:
            return "resumed"
        if place == 0:
            return "first copy"
        if not changed:
            return "unchanged"
        return "recycled" if not self.placed and len(self.lives) > self.traits["keep_releases"] else "incremental"

    def old_folder_times(self, source):
        """Those that folders may still have."""
        left_alone = judge.folders_left_alone(self.deployed, source) if self.deployed else set()
        return {path: time for path, time in self.folder_times.items() if path in left_alone}

    def note(self, source):
        self.deployed, self.deployed_traits = source, dict(self.traits)
        self.releases[self.live_id()] = self.snapshot(self.live(), self.placed)
        self.lives.append(self.releases[self.live_id()])

    def snapshot(self, folder, placed=False):
        return judge.snapshot(folder, placed, self.features)

    def look_at_seal(self):
        result = self.run_admin("diff", "--host", "here", "--detailed-exitcode")
        self.assertEqual((result.code, result.out), (porter.OK, ""), result)

    def end(self):
        if len(self.lives) > 1:
            self.roll_back()
        porter.wait_until(lambda: not kills.running(), LONGEST, "every process to end")

    def roll_back(self):
        """The release before is live again, to the last byte."""
        result = self.run_admin("rollback", "--host", "here")
        self.assertEqual(result.code, porter.OK, result)
        found = self.snapshot(self.live(), self.placed)
        judge.require_none(judge.differences(found, self.lives[-2]), "what was gone back to is not what it was")
        self.look_at_seal()
        self.look_at_releases()
        self.counts["rollbacks"] += 1

    # --- deploys ---

    def command(self):
        # A process that was killed holds its lock for a moment after it is no longer seen.
        return ["deploy", "--host", self.host, "--lock-wait", "10s", "-d", "stats"]

    def run_deploy(self):
        """Under any umask: modes come from the source."""
        process = self.start(*self.command(), umask=self.rng.choice([0o022, 0o022, 0o077, 0o000, 0o027]))
        out, err = process.communicate(timeout=LONGEST)
        return porter.Result(self.command(), process.returncode, out, err, 0)

    def deploy_unreadable(self):
        """A file or folder that may not be read: named, and nothing changes."""
        if self.tree.is_root:
            self.counts["SKIPPED: unreadable files, since root reads all"] += 1
            return
        entry = self.tree.pick(lambda each: PLAIN_PATH.match(each.path) and not each.link and not each.has_names)
        if not entry:
            path = b"plain-%d" % self.rng.randrange(10 ** 9)
            self.tree.write(path, b"to be read", 0o644)
            entry = self.tree.pick(lambda each: each.path == path)
        before = porter.everything(self.site())
        os.chmod(self.tree.at(entry.path), entry.mode & 0o077)
        result = self.run_deploy()
        os.chmod(self.tree.at(entry.path), entry.mode)
        self.told.append("could not read %r" % entry.path)
        self.assertEqual(result.code, porter.NOTHING_ACTIVATED, result)
        self.assertIn("/%s: " % entry.path.decode(), result.err)
        self.assertEqual(porter.everything(self.site()), before, "an unreadable source changed the target")
        self.counts["unreadable"] += 1

    def deploy_killed(self):
        """Enough to send, and a kill in the middle of it; then perhaps more edits."""
        self.tree.add_many(self.rng.choice([60, 150]))
        victims, wanted = self.rng.choice(sorted(kills.VICTIMS)), self.rng.choice([0, 1, 5, 20, 60, 100])
        source, before = self.snapshot(self.source), self.live_id()
        stages = kills.Stages(self.site())
        process = self.start(*self.command(), start_new_session=True)
        hit = kills.kill_in_mid_send(process, stages, victims, wanted)
        self.told.append("%s: %s, at %d entries" % ("killed" if hit else "ended before a kill", victims, wanted))
        self.killed |= hit
        self.counts["kills" if hit else "kills that came too late"] += 1
        # How much is left depends on the moment, and what the series does next must not.
        own = random.Random("\n".join(self.told))
        self.counts["files spoilt after a kill"] += stages.spoil(own) if own.random() < 0.3 else 0
        if self.live_id() != before:
            self.forget(source)
        if not self.is_half_switched():
            self.look_at_releases()
        if self.rng.random() < 0.5:
            self.told += edits.some(self.tree, self.rng.choice([1, 3]))

    def forget(self, source):
        """The kill came after the switch: the next deploy commits that release, and may then have to deploy or not."""
        self.counts["kills after the switch"] += 1
        self.deployed, self.deployed_traits, self.unsure, self.lives = source, dict(self.traits), True, []
        self.folder_times = judge.Listing(self.live(), self.placed).folder_times()

    def is_half_switched(self):
        """A site in place whose undo list is not of the live release: the next deploy undoes it."""
        return self.placed and any(name != self.live_id() for name in kills.listed(self.site() / ".porter/undo"))


def can_share(folder):
    """Whether files may share blocks there (FICLONE)."""
    with open(folder / "one", "wb") as one, open(folder / "two", "wb") as two:
        one.write(b"x")
        one.flush()
        try:
            fcntl.ioctl(two.fileno(), 0x40049409, one.fileno())
            return True
        except OSError:
            return False
