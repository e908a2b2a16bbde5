"""One benchmark: the state of every target, and what was measured."""

import time

import trees
from measure import judged, timed
from place import LINKS

RUN_LIMIT = 300


class Bench:
    def __init__(self, place, all_trees, seed, deadline, say):
        self.place, self.seed, self.say = place, seed, say
        self._trees = {tree.name: tree for tree in all_trees}
        self._deadline = deadline
        self._state = {}  # contestant and tree: (the version that is there, how many deploys made it)
        self.runs = {}    # row: contestant: runs
        self.faults = []

    def tree(self, name):
        return self._trees[name]

    def link(self, row):
        return LINKS[row.link]

    def out_of_time(self):
        return time.monotonic() > self._deadline

    def deploys(self, contestant, tree):
        return self._state.get((contestant.name, tree), (None, 0))[1]

    def missing_warm_ups(self, contestant, tree):
        return max(0, getattr(contestant, "steady", 1) - self.deploys(contestant, tree))

    def wipe(self, contestant, tree):
        contestant.wipe(self.tree(tree))
        self._state.pop((contestant.name, tree), None)

    def bring_up_to_date(self, contestant, tree):
        """Not timed, and over the quick link; a target that is no copy of the source would spoil all that follows."""
        version = self._state.get((contestant.name, tree), (None, 0))[0]
        if version == self.tree(tree).version:
            return
        if version is None:
            self.wipe(contestant, tree)
        run = self._run(contestant, tree, LINKS["near"])
        if run.fault:
            self._fault("%s, %s, not timed" % (contestant.name, tree), run.fault)

    def run(self, contestant, row):
        return self._run(contestant, row.tree, self.link(row))

    def _run(self, contestant, tree, link):
        limit = min(RUN_LIMIT, max(30, self._deadline - time.monotonic()))
        run = judged(contestant, self.tree(tree), timed(contestant, self.tree(tree), link, limit))
        version, count = self._state.get((contestant.name, tree), (None, 0))
        if version != self.tree(tree).version:
            self._state[contestant.name, tree] = (self.tree(tree).version, count + 1)
        return run

    def note(self, row, contestant, run):
        self.runs.setdefault(row.name, {}).setdefault(contestant.name, []).append(run)
        if run.fault:
            self._fault("%s, %s" % (row.name, contestant.name), run.fault)
        self.say("  %-14s %8.3f s%s" % (contestant.name, run.seconds, "  WRONG" if run.fault else ""))

    def _fault(self, where, what):
        if what not in (each["what"] for each in self.faults):
            self.say("FAULT: %s: %s" % (where, what))
        self.faults.append({"where": where, "what": what})


def open_trees(folder, names, seed, say):
    return [trees.Tree(name, trees.make(folder, name, seed, say)) for name in names]
