"""The rows of the table: what is measured, over which link, and what the bar says about it."""

from measure import generator, judged, shuffled, timed


class Row:
    """`name` is what --rows takes. `must` and `aim` are ratios of porter-admin, durable, to `baseline`."""

    baseline, needs, unit = "rsync", (), "s"

    def __init__(self, tree, link="near", must=None, aim=None, rounds=3, quick=0):
        self.tree, self.link, self.must, self.aim = tree, link, must, aim
        self.rounds, self.quick = rounds, quick  # a quick row's rounds; none: it is not part of the quick form

    @property
    def name(self):
        return "%s/%s" % (self.kind if self.link == "near" else "%s-%s" % (self.link, self.kind), self.tree)

    def contestants(self, everybody):
        return [each for each in everybody if each.updates and each.name != "rsync z"]

    def prepare(self, bench, contestants):
        """What has to be there before the first round; not timed."""

    def one_round(self, bench, contestants, rng):
        raise NotImplementedError

    def measure(self, bench, contestants, rounds):
        rng = generator(bench.seed, self.name)
        for each in contestants:
            each.prepare(bench.link(self))
        self.prepare(bench, contestants)
        for _ in range(rounds):
            if bench.out_of_time():
                return
            self.one_round(bench, contestants, rng)

    def run_all(self, bench, contestants, rng):
        for each in shuffled(contestants, rng):
            bench.note(self, each, bench.run(each, self))


class First(Row):
    kind, title = "first", "first copy"

    def contestants(self, everybody):
        return [each for each in everybody if each.name != "rsync z"]

    def one_round(self, bench, contestants, rng):
        for each in shuffled(contestants, rng):
            bench.wipe(each, self.tree)
            bench.note(self, each, bench.run(each, self))


class Nothing(Row):
    kind, title = "nothing", "nothing changed"

    def prepare(self, bench, contestants):
        for each in contestants:
            bench.bring_up_to_date(each, self.tree)

    def one_round(self, bench, contestants, rng):
        self.run_all(bench, contestants, rng)


class Changed(Row):
    """Steady state: so many deploys came before that old releases had to go."""

    def __init__(self, tree, how, title, **more):
        super().__init__(tree, **more)
        self.kind = self.how = how
        self.title = title

    def prepare(self, bench, contestants):
        for each in contestants:
            bench.bring_up_to_date(each, self.tree)
        warm_ups = max(bench.missing_warm_ups(each, self.tree) for each in contestants)
        rng = generator(bench.seed, self.name + " warm-up")
        for _ in range(warm_ups):
            bench.tree(self.tree).change(self.how, rng)
            for each in contestants:
                bench.bring_up_to_date(each, self.tree)

    def one_round(self, bench, contestants, rng):
        bench.tree(self.tree).change(self.how, rng)
        self.run_all(bench, contestants, rng)


class Second(Changed):
    """The second deploy ever: there is no old release to make the new one from."""

    def __init__(self, tree, **more):
        super().__init__(tree, "one", "1 file changed, second deploy ever", **more)
        self.kind = "second"

    def prepare(self, bench, contestants):
        pass

    def one_round(self, bench, contestants, rng):
        for each in contestants:
            if bench.deploys(each, self.tree) > 1:
                bench.wipe(each, self.tree)
            bench.bring_up_to_date(each, self.tree)
        super().one_round(bench, contestants, rng)


ONE, PERCENT = "1 file changed, durable, steady state", "1 % changed, durable, steady state"


def all_rows():
    return [
        First("T1", must=0.50, aim=0.30, quick=2), First("T2", must=0.55, aim=0.30, quick=2),
        First("T4", must=0.40, aim=0.30),
        Second("T1", quick=1), Second("T4", rounds=2),
        Nothing("T1", must=0.35, aim=0.20, rounds=5, quick=5), Nothing("T4", must=0.40, aim=0.20, rounds=5),
        Changed("T1", "one", ONE, must=0.45, aim=0.25, rounds=5, quick=3),
        Changed("T4", "one", ONE, must=0.50, aim=0.25),
        Changed("T1", "percent", PERCENT, must=0.45, aim=0.25, rounds=5, quick=3),
        Changed("T4", "percent", PERCENT, must=0.50, aim=0.25),
        Changed("T3", "middle", "1,000 bytes in the middle", must=0.80, aim=0.45, rounds=5, quick=2),
        Changed("T3", "front", "777 bytes inserted at the front", must=0.90, aim=0.50, rounds=5, quick=2),
        Changed("T3", "scattered", "200 scattered edits", must=1.2, aim=0.7, rounds=5, quick=2),
        Nothing("T1", "far", must=0.20, aim=0.12, quick=2), Nothing("T4", "far", must=0.08, aim=0.05),
        First("T1", "far", must=0.30, aim=0.15, rounds=2), First("T4", "far", must=0.20, aim=0.15, rounds=2),
    ]
