"""One benchmark: the state of every target, and what was measured."""

import time

import memory
from measure import Run, Started, judged, timed
from place import LINKS

RUN_LIMIT = 300


class OutOfTime(Exception):
    """The whole benchmark's time is over."""


class Bench:
    def __init__(self, place, trees, seed, deadline, say):
        self.place, self.seed, self.say = place, seed, say
        self._trees = {tree.name: tree for tree in trees}
        self._deadline = deadline
        self._state = {}  # contestant, tree and group of targets: (the version that is there, how many deploys made it)
        self.runs = {}    # row: contestant: runs
        self.notes = {}   # row: what else there is to say
        self.faults, self.skipped = [], []

    def tree(self, name):
        return self._trees.get(name)

    def out_of_time(self):
        return time.monotonic() > self._deadline

    def _key(self, contestant, row):
        return contestant.name, row.tree, row.link.group

    def deploys(self, contestant, row):
        return self._state.get(self._key(contestant, row), (None, 0))[1]

    def wipe(self, contestant, row):
        contestant.wipe(self.tree(row.tree), row.link)
        self._state.pop(self._key(contestant, row), None)

    def bring_up_to_date(self, contestant, row):
        """Over the quick link. Nothing is done when the source is there already."""
        version = self._state.get(self._key(contestant, row), (None, 0))[0]
        if version is None:
            self.wipe(contestant, row)
        if version != self.tree(row.tree).version:
            self.warm(contestant, row)

    def warm(self, contestant, row):
        """A run that is not timed and not judged: caches, connections and pages are then what they are from day to day.
        The timed one that follows is judged."""
        link = row.link if row.link.fleet else LINKS["near"]
        run = self._run(contestant, row, link, timed)
        if run.fault:
            self._fault("%s, %s, not timed" % (row.name, contestant.name), run.fault)

    def measure(self, contestant, row):
        """A timed run, kept as one of the row's."""
        run = judged(contestant, self.tree(row.tree), row.link, self._run(contestant, row, row.link, timed))
        self._keep(row, contestant, run)
        self.say("  %-20s %8.3f s%s" % (contestant.name, run.seconds, "  WRONG" if run.fault else ""))

    def watch_memory(self, contestant, row):
        """A run whose processes are looked at, kept as one of the row's."""
        run = judged(contestant, self.tree(row.tree), row.link, self._run(contestant, row, row.link, self._watched))
        self._keep(row, contestant, run)
        self.say("  %-20s %s%s" % (contestant.name, run.memory, "  WRONG" if run.fault else ""))

    def _watched(self, contestant, tree, link, limit):
        with memory.Watch(self.place.mark) as watch:
            fault = Started(contestant, link, contestant.jobs(tree, link)).finish(limit)
        return Run(0.0, 0.0, fault, watch.peaks())

    def _run(self, contestant, row, link, how):
        tree, key = self.tree(row.tree), self._key(contestant, row)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        run = how(contestant, tree, link, min(RUN_LIMIT, left))
        version, count = self._state.get(key, (None, 0))
        if run.failed:
            self._state.pop(key, None)  # begins anew
            if self.out_of_time():
                raise OutOfTime
        elif tree is not None and version != tree.version:
            self._state[key] = (tree.version, count + 1)
        return run

    def _keep(self, row, contestant, run):
        self.runs.setdefault(row.name, {}).setdefault(contestant.name, []).append(run)
        if run.fault:
            self._fault("%s, %s" % (row.name, contestant.name), run.fault)

    def check(self, row, contestant, found, wanted):
        """Holds what the server saw of the last run against what should have been."""
        if found < wanted:
            fault = "the server saw %d logins of %d" % (found, wanted)
            self.runs[row.name][contestant.name][-1].fault = fault
            self._fault("%s, %s" % (row.name, contestant.name), fault)

    def _fault(self, where, what):
        for folder, name in self.place.names_of_folders().items():
            what = what.replace(folder, name)
        if what not in (each["what"] for each in self.faults):
            self.say("FAULT: %s: %s" % (where, what))
        self.faults.append({"where": where, "what": what})

    def skip(self, what, why):
        self.skipped.append({"what": what, "why": why})
        self.say("SKIPPED: %s: %s" % (what, why))

    def note(self, row, text):
        self.notes.setdefault(row.name, [])
        if text not in self.notes[row.name]:
            self.notes[row.name].append(text)
