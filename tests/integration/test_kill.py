"""porter-admin killed at twenty moments of a send, chosen by the bytes that a relay has passed: what was live
stays live to the last byte, the next deploy works, and nothing is left lying about."""

import os
import threading

import porter

MOMENTS = 20
FILES, SIZE = 60, 256 * 1024


class Kill(porter.Case):
    def setUp(self):
        super().setUp()
        self.server = self.sshd()
        self.relay_ = self.relay(self.server)
        self.ssh_config("there", self.server, self.relay_.port)

    def fill(self):
        """New random content everywhere: nothing can be taken from an old release."""
        for number in range(FILES):
            path = self.directory / "app/src" / ("folder%d" % (number % 7)) / ("file%d" % number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SIZE))

    def stage_size(self):
        """Bytes in releases that have no seal."""
        releases, manifests = self.site() / "releases", self.site() / ".porter/manifests"
        total = 0
        for name in set(os.listdir(releases)) - set(os.listdir(manifests)):
            for base, _, files in os.walk(releases / name):
                for file in files:
                    try:
                        total += os.lstat(os.path.join(base, file)).st_size
                    except FileNotFoundError:
                        pass
        return total

    def start_and_kill_at(self, moment, agent_too=False):
        """Starts a deploy and kills porter-admin once the relay has passed that much of it. The relay stands
        still meanwhile, so that the target is seen as it was at that moment. With `agent_too` nobody is left
        there who could tidy up: the next deploy has to."""
        reached, go_on = threading.Event(), threading.Event()
        relay = self.relay_
        relay.reset()

        def on_bytes(sent, _):
            if sent >= moment:
                reached.set()
                go_on.wait(60)

        relay.on_bytes = on_bytes
        process = self.start("deploy", "--host", "here")
        try:
            porter.wait_until(lambda: reached.is_set() or process.poll() is not None, 60, "%d bytes" % moment)
            self.assertTrue(reached.is_set(), "it ended before it had sent %d bytes" % moment)
            # What was passed on before arrives; then nothing moves any more.
            seen = porter.wait_until(self.stage_size, 10, "a stage with something in it")
            process.kill()
            process.wait()
            for pid, words in porter.processes_with(self.mark):
                if agent_too and "porter-agent" in words:
                    porter.kill(pid)
        finally:
            relay.on_bytes = None
            go_on.set()
            process.stdout.close()
            process.stderr.close()
        return seen

    def test_a_killed_send_leaves_the_old_release_as_it_was(self):
        self.project(hosts="here = there", app="keep_releases = 2")
        self.fill()
        self.deploy()
        whole = FILES * SIZE
        seen = []
        for number in range(MOMENTS):
            release = self.release_of()
            before = porter.file_sums(self.current())
            self.assertEqual(len(before), FILES + 1)
            self.fill()
            moment = 300_000 + (whole - 600_000) * number // (MOMENTS - 1)
            seen.append(self.start_and_kill_at(moment, agent_too=number % 4 == 1))
            self.nothing_runs()
            self.assertEqual(self.release_of(), release)
            self.assertEqual(porter.file_sums(self.current()), before)
            # Half of the kills are followed by another kill's run at once, as an impatient user would.
            if number % 2:
                self.next_deploy_works()
        self.next_deploy_works()
        print("bytes in the stage at the kills: %s" % seen, flush=True)
        self.assertEqual(len(seen), MOMENTS)
        self.assertGreater(max(seen), whole // 2)
        self.assertLess(min(seen), whole // 4)

    def nothing_runs(self):
        """Worker and agent end by themselves once porter-admin is gone; the server stays."""
        def busy():
            return [words for _, words in porter.processes_with(self.mark)
                    if "porter-admin" in words or "porter-agent" in words]
        porter.wait_until(lambda: not busy(), 20, "worker and agent to end")

    def next_deploy_works(self):
        self.deploy()
        expected = porter.file_sums(self.directory / "app/src")
        self.assertEqual(porter.file_sums(self.current()), expected)
        self.assert_settled()
        self.assertLessEqual(len(os.listdir(self.site() / "releases")), 2)

    def test_a_killed_first_deploy_leaves_nothing_live(self):
        self.project(hosts="here = there")
        self.fill()
        for agent_too in (False, True):
            self.start_and_kill_at(6_000_000, agent_too)
            self.nothing_runs()
            self.assertFalse(os.path.lexists(self.current()))
        self.next_deploy_works()

    def test_a_killed_inplace_deploy_leaves_the_old_files(self):
        self.project(hosts="here = there", app="layout = inplace")
        self.fill()
        self.deploy()
        def live():
            return {path: each for path, each in porter.file_sums(self.site()).items()
                    if not path.startswith(b".porter/")}
        before = live()
        self.fill()
        relay, reached = self.relay_, threading.Event()
        relay.reset()
        relay.on_bytes = lambda sent, _: reached.set() if sent > 5_000_000 else None
        process = self.start("deploy", "--host", "here")
        porter.wait_until(reached.is_set, 60, "half of the send")
        process.kill()
        process.communicate()
        relay.on_bytes = None
        self.nothing_runs()
        self.assertEqual(live(), before)
        self.deploy()
        self.assertEqual(live(), porter.file_sums(self.directory / "app/src"))
        for folder in ("staging", "trash"):
            if (self.site() / ".porter" / folder).exists():
                self.assertEqual(os.listdir(self.site() / ".porter" / folder), [])

    def test_a_connection_that_is_cut_fails_the_deploy_and_leaves_the_old_release(self):
        self.project(hosts="here = there")
        self.fill()
        self.deploy()
        before, release = porter.file_sums(self.current()), self.release_of()
        self.fill()
        relay = self.relay_
        relay.reset()
        relay.on_bytes = lambda sent, _: relay.cut() if sent > 5_000_000 else None
        result = self.deploy(code=porter.NOTHING_ACTIVATED)
        relay.on_bytes = None
        self.assertIn("here", result.err)
        self.nothing_runs()
        self.assertEqual((porter.file_sums(self.current()), self.release_of()), (before, release))
        self.next_deploy_works()

    def test_ctrl_c_ends_with_130_and_puts_back_what_was_half_done(self):
        self.project(hosts="here = there")
        self.fill()
        self.deploy()
        before, release = porter.file_sums(self.current()), self.release_of()
        self.fill()
        relay, reached = self.relay_, threading.Event()
        relay.reset()
        relay.on_bytes = lambda sent, _: reached.set() if sent > 5_000_000 else None
        process = self.start("deploy", "--host", "here")
        porter.wait_until(reached.is_set, 60, "half of the send")
        process.send_signal(porter.signal.SIGINT)
        _, err = process.communicate(timeout=60)
        relay.on_bytes = None
        self.assertEqual(process.returncode, porter.INTERRUPTED, err)
        self.nothing_runs()
        self.assertEqual((porter.file_sums(self.current()), self.release_of()), (before, release))
        self.assert_settled()
        self.next_deploy_works()


if __name__ == "__main__":
    porter.main()
