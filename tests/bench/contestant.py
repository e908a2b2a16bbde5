"""Who is compared. All get the same source, the same file system and the same server."""

import judge
import place as places


class Contestant:
    """Knows what it runs, where its targets lie, and how to forget one."""

    steady = 1  # after how many deploys a target is what it stays
    keeps = judge.FULL

    def __init__(self, place):
        self.place = place

    def folder(self, tree, folder):
        return self.place.targets / self.name.replace(" ", "-") / tree.name / folder

    def landing(self, tree, folder):
        return self.folder(tree, folder)

    def wipe(self, tree, link):
        for _, folder in link.targets:
            places.remove(self.folder(tree, folder))
            self.folder(tree, folder).mkdir(parents=True)

    def environment(self):
        return self.place.environment()

    def directory(self, link):
        return self.place.folder

    def prepare(self, link):
        """What lasts from run to run, such as a connection that is kept open."""

    def jobs(self, tree, link):
        """What runs at the same time: a list of pipelines of commands."""
        raise NotImplementedError
