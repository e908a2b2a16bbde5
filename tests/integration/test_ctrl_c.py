"""Ctrl-C, once, twice and three times, and a client that is killed: what the hosts run then, what is said, and
that nothing goes on running on the target."""

import json
import os
import signal
import threading

import porter
from porter import INTERRUPTED, OK, ROLLBACK_FAILED
from test_terminal import AtTerminal

STOPPING = "stopping after the step that is running; again to abort it"


class CtrlC(porter.Case):
    def begin(self, host="local:"):
        """A live release, another one to come, and a plugin that does as the environment says."""
        self.project(hosts="here = " + host, app="[plugin:acme.misbehaving]",
                     extra="[plugins]\npath = %s\n" % (porter.BUILD / "tests/faults"))
        self.deploy()
        self.before, self.release = porter.file_sums(self.current()), self.release_of()
        self.write("project/app/src/file.txt", "new\n")

    def fault(self, at, how):
        return {"FAULT_AT": at, "FAULT_HOW": how, "FAULT_UNTIL": str(self.folder / "go-on")}

    def running(self, *words):
        """What runs of porter-admin and of its plugin's programs; the server of a test is no part of that."""
        return [each for each in porter.processes_with(self.mark)
                if any(word in each[1] for word in words or ("porter-admin", "porter-agent", "sleep"))]

    def start_and_wait(self, at, how="waits"):
        """A deploy that has come to the program of its plugin."""
        process = self.start("deploy", "--host", "here", "--json", env=self.fault(at, how))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        porter.wait_until(lambda: self.running("sleep"), what="the plugin's program")
        return process

    def until(self, process, text):
        """Reads events up to the one that says it."""
        said = process.stdout.readline().decode()
        while text not in said:
            self.assertTrue(said, "%r was never said" % text)
            said = process.stdout.readline().decode()

    def press(self, process, then):
        process.send_signal(signal.SIGINT)
        self.until(process, then)

    def end(self, process, code):
        out, err = process.stdout.read(), process.stderr.read()  # communicate() would lose what until() has buffered
        process.wait(60)
        self.assertEqual(process.returncode, code, err.decode())
        events = [json.loads(line) for line in out.decode().splitlines()]
        self.assertEqual(events[-1]["event"], "run_finished")
        self.assertEqual(events[-1]["exit_code"], code)
        return [each["outcome"] for each in events if each["event"] == "module_finished"], err.decode()

    def assert_old(self):
        self.assertEqual((porter.file_sums(self.current()), self.release_of()), (self.before, self.release))
        self.assert_settled()

    def nothing_runs(self):
        porter.wait_until(lambda: not self.running(), 30, "worker, agent and program to end")

    def next_deploy_works(self):
        self.deploy(code=OK)
        self.assertEqual((self.current() / "file.txt").read_text(), "new\n")
        self.assert_settled()

    def test_once_before_the_switch_cuts_the_wait_short(self):
        self.begin()
        process = self.start_and_wait("SIG_SOURCE_POST_SEND")
        self.press(process, STOPPING)
        outcomes, err = self.end(process, INTERRUPTED)
        self.assertEqual(outcomes, ["not activated"])
        self.assertIn("stopped (exit 130)", err)
        self.nothing_runs()
        self.assert_old()

    def test_once_behind_the_switch_waits_for_the_step_and_puts_back(self):
        self.begin()
        process = self.start_and_wait("SIG_POST_ACTIVATE", "pauses")
        self.press(process, STOPPING)
        self.assertNotEqual(self.release_of(), self.release)  # still at its step
        self.assertIsNone(process.poll())
        self.write("go-on")
        outcomes, _ = self.end(process, INTERRUPTED)
        self.assertEqual(outcomes, ["rolled back"])
        self.nothing_runs()
        self.assert_old()

    def test_twice_aborts_the_step_and_puts_back(self):
        self.begin()
        process = self.start_and_wait("SIG_POST_ACTIVATE")
        self.press(process, STOPPING)
        self.press(process, "aborted while plugin acme.misbehaving 1.0 handled SIG_POST_ACTIVATE of app on here")
        outcomes, _ = self.end(process, INTERRUPTED)
        self.assertEqual(outcomes, ["rolled back"])
        self.nothing_runs()
        self.assert_old()
        self.next_deploy_works()

    def test_twice_at_a_terminal(self):
        self.begin()
        self.env.update(self.fault("SIG_POST_ACTIVATE", "waits"))
        program = AtTerminal(self, "deploy", "--host", "here")
        porter.wait_until(lambda: self.running("sleep"), what="the plugin's program")
        program.type(b"\x03")
        program.until(STOPPING.encode())
        program.type(b"\x03")
        self.assertEqual(program.code(), INTERRUPTED, program.shown)
        self.assertIn(b"1 rolled back", program.shown)
        self.assert_old()

    def over_ssh(self):
        server = self.sshd()
        self.relay_ = self.relay(server)
        self.ssh_config("there", server, self.relay_.port)
        self.begin("there")

    def test_three_times_leaves_at_once_and_nothing_runs_on(self):
        self.over_ssh()
        process = self.start_and_wait("SIG_POST_ACTIVATE")
        self.press(process, STOPPING)
        # The settler gets no further than the beginning of its connection.
        known, stalled, go_on = set(threading.enumerate()), threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def stall(*_):
            if threading.current_thread() not in known:
                stalled.set()
                go_on.wait(60)

        self.relay_.on_bytes = stall
        self.press(process, "aborted while plugin acme.misbehaving 1.0")
        porter.wait_until(stalled.is_set, what="the settler's connection")
        process.send_signal(signal.SIGINT)
        _, err = self.end(process, ROLLBACK_FAILED)
        self.assertIn("failed (exit 7)", err)
        self.assertFalse(go_on.is_set())
        self.nothing_runs()
        self.relay_.on_bytes = None
        go_on.set()
        self.next_deploy_works()

    def killed_client(self, at):
        self.over_ssh()
        process = self.start_and_wait(at)
        process.kill()
        process.wait()
        self.nothing_runs()
        return process

    def test_a_client_that_is_killed_before_the_switch_leaves_no_program_behind(self):
        self.killed_client("SIG_SOURCE_POST_SEND")
        self.assert_old()
        self.next_deploy_works()

    def test_a_client_that_is_killed_behind_the_switch_leaves_no_program_behind(self):
        self.killed_client("SIG_POST_ACTIVATE")
        self.next_deploy_works()

    def test_a_killed_client_and_worker_leave_no_program_behind(self):
        self.over_ssh()
        process = self.start_and_wait("SIG_POST_ACTIVATE")
        for pid, _ in self.running("porter-admin"):
            porter.kill(pid)
        process.wait()
        self.nothing_runs()
        self.next_deploy_works()


if __name__ == "__main__":
    porter.main()
