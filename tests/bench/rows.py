"""The rows of the table: what is measured, over which link, between whom, and what the bar says about it."""

from bench import OutOfTime
from measure import generator, shuffled
from place import LINKS

US = ["porter", "porter none"]
# Who takes long and is no baseline: measured less often.
SLOW, SLOW_ROUNDS = ("scp -r", "ansible synchronize"), 2
EVERY_DAY = US + ["rsync", "rsync curve", "rsync strong"]


class Row:
    """`name` is what --rows takes. `must` and `aim` are bounds of porter-admin's ratio to the baseline."""

    section, us, baseline, strong, who = "time", "porter", "rsync", "rsync strong", EVERY_DAY

    def __init__(self, tree, link="near", must=None, aim=None, rounds=3, quick=0):
        self.tree, self.link, self.must, self.aim = tree, LINKS[link], must, aim
        self.rounds, self.quick = rounds, quick  # a quick row's rounds; none: it is not part of the quick form

    @property
    def name(self):
        kind = self.kind if self.link.name == "near" else "%s-%s" % (self.link.name, self.kind)
        return "%s/%s" % (kind, self.tree) if self.tree else kind

    def prepare(self, bench, contestants):
        """What has to be there before the first round; not timed."""

    def one_round(self, bench, contestants, rng):
        for each in shuffled(contestants, rng):
            bench.measure(each, self)

    def run(self, bench, contestants, rounds):
        rng, done = generator(bench.seed, self.name), 0
        try:
            for each in contestants:
                each.prepare(self.link)
            self.prepare(bench, contestants)
            for done in range(rounds):
                self.one_round(bench, [each for each in contestants if done < self._most_rounds(each, rounds)], rng)
        except OutOfTime:
            bench.skip(self.name, "out of time in round %d of %d" % (done + 1, rounds))

    def _most_rounds(self, contestant, rounds):
        return min(rounds, (rounds + 1) // 2, SLOW_ROUNDS) if contestant.name in SLOW else rounds


class First(Row):
    """A first copy: nothing is there, and nothing is known from before."""

    kind, title = "first", "first copy"

    def __init__(self, tree, link="near", **more):
        super().__init__(tree, link, **more)
        if self.link.name == "near":
            self.who = EVERY_DAY + ["scp -r", "tar over ssh", "ansible synchronize", "floor", "floor none"]
        elif self.link.fleet:
            self.who = EVERY_DAY + ["ansible synchronize"]
        elif self.link.bits:
            self.who, self.baseline = US + ["rsync", "rsync z", "rsync strong"], "rsync z"

    def one_round(self, bench, contestants, rng):
        for each in shuffled(contestants, rng):
            bench.wipe(each, self)
            bench.measure(each, self)


class Nothing(Row):
    kind, title = "nothing", "nothing changed"

    def __init__(self, tree, link="near", **more):
        super().__init__(tree, link, **more)
        if self.link.name == "near" or self.link.fleet:
            self.who = EVERY_DAY + ["ansible synchronize"]

    def prepare(self, bench, contestants):
        for each in contestants:
            bench.bring_up_to_date(each, self)
            bench.warm(each, self)


class Changed(Row):
    """Steady state: so many deploys came before that old releases had to go."""

    def __init__(self, tree, how, title, **more):
        super().__init__(tree, **more)
        self.kind = self.how = how
        self.title = title

    def prepare(self, bench, contestants):
        ageing = [each for each in contestants if each.steady > 1]
        rng = generator(bench.seed, self.name + " warm-up")
        for each in ageing:
            bench.bring_up_to_date(each, self)
        for _ in range(max([each.steady - bench.deploys(each, self) for each in ageing] or [0])):
            bench.tree(self.tree).change(self.how, rng)
            for each in ageing:
                bench.bring_up_to_date(each, self)
        for each in contestants:
            bench.bring_up_to_date(each, self)
            bench.warm(each, self)
        self._say_spares(bench, ageing)

    def _say_spares(self, bench, ageing):
        for each in ageing:
            there = all(each.has_spare(bench.tree(self.tree), folder) for _, folder in self.link.targets)
            bench.note(self, "%s: %s release to recycle" % (each.name, "there was a" if there else "there was NO"))

    def one_round(self, bench, contestants, rng):
        bench.tree(self.tree).change(self.how, rng)
        super().one_round(bench, contestants, rng)


class Second(Changed):
    """The second deploy ever: there is no old release to make the new one from."""

    def __init__(self, tree, **more):
        super().__init__(tree, "one", "1 file changed, second deploy ever", **more)
        self.kind = "second"

    def prepare(self, bench, contestants):
        pass

    def one_round(self, bench, contestants, rng):
        for each in contestants:
            if each.steady > 1 and bench.deploys(each, self) > 1:
                bench.wipe(each, self)
            bench.bring_up_to_date(each, self)
            bench.warm(each, self)
        super().one_round(bench, contestants, rng)


class NewRelease(Changed):
    """A new folder beside the old one, of which one file differs."""

    who, baseline, strong = US + ["link-dest", "link-dest strong"], "link-dest", "link-dest strong"

    def __init__(self, tree, **more):
        super().__init__(tree, "one", "new release, against rsync --link-dest", **more)
        self.kind = "link-dest"


class Command(Row):
    kind, title, us = "true", "run -- true", "porter run"
    who, baseline, strong = ["porter run", "ansible command", "ssh at once"], "ansible command", "ssh at once"

    def prepare(self, bench, contestants):
        for each in contestants:
            bench.warm(each, self)

    def one_round(self, bench, contestants, rng):
        for each in shuffled(contestants, rng):
            before = bench.place.logins()
            bench.measure(each, self)
            if each.name != "ansible command":  # which keeps its connections
                bench.check(self, each, bench.place.logins() - before, len(self.link.hosts))


class Memory(Row):
    """The peaks over a first copy, a run with nothing to do, and one after 1 % changed."""

    section, kind, title, unit = "memory", "memory", "peak memory", "MiB"
    who = ["porter", "rsync", "rsync strong"]

    def one_round(self, bench, contestants, rng):
        for each in contestants:
            bench.wipe(each, self)
            bench.watch_memory(each, self)
            bench.watch_memory(each, self)
        bench.tree(self.tree).change("percent", rng)
        for each in contestants:
            bench.watch_memory(each, self)


class MemoryOfMany(Memory):
    """A first copy to many hosts at once; the bar is for all processes of the operator's side together."""

    who = ["porter"]

    def one_round(self, bench, contestants, rng):
        for each in contestants:
            bench.wipe(each, self)
            bench.watch_memory(each, self)


ONE, PERCENT = "1 file changed, durable, steady state", "1 % changed, durable, steady state"


def all_rows():
    return [
        First("T1", must=0.50, aim=0.30, quick=1), First("T2", must=0.55, aim=0.30, quick=1),
        First("T4", must=0.40, aim=0.30),
        Second("T1", quick=1), Second("T4", rounds=2),
        Nothing("T1", must=0.35, aim=0.20, rounds=5, quick=3),
        Nothing("T4", must=0.40, aim=0.20, rounds=5, quick=1),
        Changed("T1", "one", ONE, must=0.45, aim=0.25, rounds=5, quick=2),
        Changed("T1", "percent", PERCENT, must=0.45, aim=0.25, rounds=5, quick=2),
        Changed("T4", "one", ONE, must=0.50, aim=0.25), Changed("T4", "percent", PERCENT, must=0.50, aim=0.25),
        Changed("T3", "middle", "1,000 bytes in the middle", must=0.80, aim=0.45, rounds=5, quick=1),
        Changed("T3", "front", "777 bytes inserted at the front", must=0.90, aim=0.50, rounds=5, quick=1),
        Changed("T3", "scattered", "200 scattered edits", must=1.2, aim=0.7, rounds=5, quick=1),
        Nothing("T1", "far", must=0.20, aim=0.12, quick=1), Nothing("T4", "far", must=0.08, aim=0.05),
        First("T1", "far", must=0.30, aim=0.15, rounds=2), First("T4", "far", must=0.20, aim=0.15, rounds=2),
        NewRelease("T4", must=0.25, aim=0.10),
        First("T1", "thin", must=0.95, aim=0.80, rounds=2),
        First("T2", "ten", must=0.60, aim=0.30), Nothing("T2", "ten", must=0.35, aim=0.20),
        Command(None, "fifty", must=0.15, aim=0.10, rounds=5, quick=2),
        Memory("T4", must=(20, 16), aim=(12, 8), rounds=1), MemoryOfMany("T5", "all", must=(256,), aim=(256,), rounds=1),
    ]


def smoke_rows():
    """Every kind of row once, on a tree that takes no time."""
    return [
        First("tiny", must=9, aim=9, rounds=1), Second("tiny", rounds=1), Nothing("tiny", must=9, aim=9, rounds=1),
        Changed("tiny", "percent", PERCENT, must=9, aim=9, rounds=1), Nothing("tiny", "far", must=9, aim=9, rounds=1),
        NewRelease("tiny", must=9, aim=9, rounds=1), First("tiny", "three", must=9, aim=9, rounds=1),
        Command(None, "three", rounds=1), Memory("tiny", must=(99, 99), aim=(99, 99), rounds=1),
    ]
