"""Never a gap, never a mix: a reader that opens `current` once as a directory and reads three files through it,
over and over, while releases are switched. Deploys, and rollbacks where the command exists."""

import os
import subprocess

import io_checks
from io_checks import porter

SWITCHES = 1000 if io_checks.LONG else 120
MARKERS = ("marker", "first/marker", "last/deep/marker")


class Reader:
    """The compiled reader, at work on a site until it is asked what it saw."""

    def __init__(self, site, env):
        self.process = subprocess.Popen([io_checks.program("fault_reader"), str(site)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=env)

    def end(self):
        words = self.process.communicate(timeout=60)[0].decode().split()
        return dict(zip(words[::2], map(int, words[1::2])))


class Switches(porter.Case):
    def setUp(self):
        super().setUp()
        porter.need(os.access(io_checks.program("fault_reader"), os.X_OK), "no fault_reader was built")

    def put_markers(self, number):
        for name in MARKERS:
            self.write("project/app/src/" + name, "%d\n" % number)

    def watch(self, work):
        reader = Reader(self.site(), self.env)
        try:
            work()
        finally:
            seen = reader.end()
        io_checks.say("%s: %s" % (self.id().split(".")[-1], seen))
        return seen

    def switch(self, number, rollback):
        # Every fifth goes back instead, where that is possible.
        if rollback and number % 5 == 4:
            return self.run_admin("rollback", "--host", "here", code=porter.OK)
        self.put_markers(number)
        return self.deploy()

    def test_switches_show_no_gap_and_no_mix(self):
        rollback = io_checks.has_command("rollback")
        if not rollback:
            io_checks.say("SKIPPED: rollbacks among the switches: there is no such command")
        self.project()
        self.put_markers(0)
        self.deploy()

        def work():
            for number in range(1, SWITCHES + 1):
                self.switch(number, rollback)

        seen = self.watch(work)
        io_checks.say("%d switches, %d files read, %d gaps, %d mixed trees" % (
            SWITCHES, seen["rounds"] * len(MARKERS), seen["gaps"], seen["mixes"]))
        self.assertEqual((seen["gaps"], seen["mixes"]), (0, 0))
        # It has to have been there when they happened.
        self.assertGreater(seen["changes"], SWITCHES * 9 // 10)

    # What the reader has to be able to see.

    def test_the_reader_sees_the_gaps_of_a_link_that_is_removed_and_made(self):
        site = self.target / "app"
        for number in (1, 2):
            for name in MARKERS:
                self.write("target/app/releases/%d/%s" % (number, name), "%d\n" % number)
        os.symlink("releases/1", site / "current")

        def work():
            for number in range(400):
                os.unlink(site / "current")
                os.symlink("releases/%d" % (number % 2 + 1), site / "current")

        # On a busy machine the reader may not have its turn in any of these gaps.
        porter.wait_until(lambda: self.watch(work)["gaps"] > 0, 60, "a gap to be seen")

    def test_the_reader_sees_the_mixes_of_a_tree_that_is_changed_in_place(self):
        self.project(app="layout = inplace")
        self.put_markers(0)
        self.deploy()
        os.symlink(".", self.site() / "current")

        def work():
            for number in range(1, 20):
                self.put_markers(number)
                self.deploy()

        porter.wait_until(lambda: self.watch(work)["mixes"] > 0, 60, "a mix to be seen")


if __name__ == "__main__":
    io_checks.main()
