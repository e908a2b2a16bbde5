"""porter-admin at a terminal and in bad company: questions, Ctrl-C, workers that die or hang."""

import json
import os
import pty
import signal
import termios
import unittest

import porter
from porter import INTERNAL, INTERRUPTED, OK, USAGE


class AtTerminal:
    """porter-admin with a terminal of its own."""

    def __init__(self, case, *arguments):
        self.shown = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(str(case.directory))
            os.execve(porter.ADMIN, [porter.ADMIN, *arguments], dict(case.env, TERM="xterm"))
        case.addCleanup(self.end)

    def until(self, text):
        while text not in self.shown:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                piece = b""
            if not piece:
                raise AssertionError("%r was never shown: %r" % (text, self.shown))
            self.shown += piece

    def type(self, text):
        os.write(self.master, text)

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def code(self):
        try:
            while True:
                piece = os.read(self.master, 4096)
                if not piece:
                    break
                self.shown += piece
        except OSError:
            pass
        pid, self.pid = self.pid, None
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def end(self):
        if self.pid:
            porter.kill(self.pid)
            os.waitpid(self.pid, 0)
        os.close(self.master)


class Terminal(porter.Case):
    def setUp(self):
        super().setUp()
        self.project(extra="[config:live]\nhosts = here\nconfirm = yes\n")

    def worker(self, program):
        def find():
            return [pid for pid, words in porter.processes_with(self.mark)
                    if " worker " in words + " " and porter.is_below(pid, program) and pid != program]
        return porter.wait_until(find, what="the worker")[0]

    def asked(self):
        program = AtTerminal(self, "deploy", "--config", "live")
        program.until(b"deploy to live (1 hosts)? [y/N] ")
        return program

    def test_yes_deploys(self):
        program = self.asked()
        program.type(b"y\n")
        self.assertEqual(program.code(), OK, program.shown)
        self.assertTrue(self.current().exists())

    def test_no_is_a_refusal(self):
        program = self.asked()
        program.type(b"n\n")
        self.assertEqual(program.code(), USAGE, program.shown)
        self.assertFalse(os.path.lexists(self.current()))

    def test_ctrl_c_at_the_question_is_no_refusal(self):
        program = self.asked()
        program.type(b"\x03")
        self.assertEqual(program.code(), INTERRUPTED, program.shown)
        self.assertTrue(program.echoes())
        self.assertIn(b"stopped (exit 130)", program.shown)
        self.assertNotIn(b"error[", program.shown)

    def test_worker_killed_at_the_question(self):
        program = self.asked()
        porter.kill(self.worker(program.pid))
        self.assertEqual(program.code(), INTERNAL, program.shown)
        self.assertEqual(program.shown.count(b"the worker ended in the middle of the run (killed by signal 9)"), 1)
        self.assertTrue(program.echoes())

    def hung(self, *arguments):
        """A run whose worker is stopped in the middle of a program on the host."""
        mark = self.folder / "runs"
        script = "echo > '%s'; exec sleep 600" % mark
        process = self.start("run", "--host", "here", *arguments, "--", "sh", "-c", script)
        porter.wait_until(mark.exists, what="the program")
        worker = self.worker(process.pid)
        os.kill(worker, signal.SIGSTOP)
        return process

    def test_second_ctrl_c_ends_a_worker_that_hangs(self):
        process = self.hung("--json")
        process.send_signal(signal.SIGINT)
        said = process.stdout.readline()
        while b"again to abort it" not in said:
            self.assertTrue(said)
            said = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERRUPTED, err)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([each["exit_code"] for each in events if each["event"] == "run_finished"], [INTERRUPTED])
        self.assertEqual(events[-1]["event"], "run_finished")

    def test_a_killed_worker_is_never_a_success(self):
        process = self.hung("--json")
        porter.kill(self.worker(process.pid))
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERNAL, err)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(events[-1]["event"], "run_finished")
        self.assertEqual(events[-1]["exit_code"], INTERNAL)
        self.assertIn("the worker ended in the middle of the run", events[-1]["cause"])
        self.assertEqual(len([each for each in events if each["event"] == "failure"]), 1)

    def test_logs_are_private(self):
        self.deploy()
        logs = self.home / ".local/state/porter/logs"
        self.assertEqual(logs.stat().st_mode & 0o777, 0o700)
        self.assertEqual([path.stat().st_mode & 0o777 for path in logs.iterdir()], [0o600])


if __name__ == "__main__":
    porter.main()
