"""Much content over a long way goes over several channels of one connection; what is refused is not missed."""

import os
import random
import re

import porter
from porter import OK

ALONE = None  # of channels(): nothing is said of several


class Channels(porter.Case):
    def far(self, extra=()):
        """A project with 24 MB that do not get smaller, and a host that is 40 ms away and has its agent."""
        self.server = self.sshd(extra=extra)
        self.relay_ = self.relay(self.server)
        self.ssh_config("there", self.server, self.relay_.port)
        self.project(hosts="here = there")
        self.ini("durability = none\n")
        self.deploy()
        self.relay_.delay = 0.02
        some = random.Random(1)
        for number in range(400):
            path = self.directory / "app/src" / str(number % 7) / str(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(some.randbytes(20_000))
        (self.directory / "app/src/large").write_bytes(some.randbytes(16_000_000))

    def channels(self, result):
        """How many took part, as the statistics have it."""
        (stage,) = [line for line in result.err.splitlines() if "[stats] stage" in line]
        found = re.search(r", (\d+) channels", stage)
        return int(found.group(1)) if found else ALONE

    def joining(self):
        return [pid for pid, line in porter.processes_with(self.mark) if "--join" in line]

    def assert_deployed(self):
        self.assertEqual(porter.file_sums(self.current()), porter.file_sums(self.directory / "app/src"))
        self.assert_settled()
        porter.wait_until(lambda: not self.joining())

    def test_several_carry_it_and_the_tree_is_right(self):
        self.far()
        result = self.deploy("-d", "stats")
        self.assertGreater(self.channels(result), 1, result)
        self.assertEqual(self.relay_.connections, 1 + 1)
        self.assert_deployed()
        self.write("project/app/src/0/0", "little")
        self.assertEqual(self.channels(self.deploy("-d", "stats")), ALONE)
        self.assert_deployed()

    def test_a_near_host_has_one(self):
        self.far()
        self.relay_.delay = 0
        self.assertEqual(self.channels(self.deploy("-d", "stats")), ALONE)
        self.assert_deployed()

    def test_a_server_that_allows_one_session_gets_one(self):
        self.far(extra=["MaxSessions 1"])
        self.assertEqual(self.channels(self.deploy("-d", "stats")), ALONE)
        self.assert_deployed()

    def test_a_server_that_allows_three_sessions_gets_three(self):
        self.far(extra=["MaxSessions 3"])
        self.assertEqual(self.channels(self.deploy("-d", "stats")), 3)
        self.assert_deployed()

    def forced(self, other):
        self.far(extra=['ForceCommand case "$SSH_ORIGINAL_COMMAND" in *--join*) %s ;; '
                        '*) eval "$SSH_ORIGINAL_COMMAND" ;; esac' % other])
        self.assertEqual(self.channels(self.deploy("-d", "stats")), ALONE)
        self.assert_deployed()

    def test_a_forced_command_that_allows_the_agent_alone_gets_one(self):
        self.forced("echo Go away; exit 1")

    def test_a_forced_command_that_starts_something_else_gets_one(self):
        self.forced("cat")

    def test_one_that_is_killed_ends_the_stage_and_nothing_else(self):
        self.far()
        (self.directory / "app/src/larger").write_bytes(random.Random(2).randbytes(30_000_000))
        before = self.release_of()
        killed = []

        def kill_one(sent, _):
            # More than the first channel alone carries until the others are there.
            if sent > 12_000_000 and not killed:
                killed.extend(self.joining()[:1])
                for pid in killed:
                    porter.kill(pid)
        self.relay_.reset()
        self.relay_.on_bytes = kill_one
        result = self.deploy(code=None)
        self.relay_.on_bytes = None
        self.assertEqual(len(killed), 1, result)
        self.assertNotEqual(result.code, OK, result)
        self.assertRegex(result.err, "channel")
        self.assertEqual(self.release_of(), before)
        porter.wait_until(lambda: not self.joining())
        self.deploy()
        self.assert_deployed()

    def test_an_agent_that_is_killed_takes_them_with_it(self):
        self.far()
        killed = []

        def kill_agent(sent, _):
            if sent > 12_000_000 and not killed:
                killed.extend(pid for pid, line in porter.processes_with(self.mark) if "--serve" in line)
                for pid in killed:
                    porter.kill(pid)
        self.relay_.reset()
        self.relay_.on_bytes = kill_agent
        result = self.deploy(code=None)
        self.relay_.on_bytes = None
        self.assertGreaterEqual(len(killed), 1, result)
        self.assertNotEqual(result.code, OK, result)
        porter.wait_until(lambda: not self.joining())
        self.deploy()
        self.assert_deployed()


if __name__ == "__main__":
    porter.main()
