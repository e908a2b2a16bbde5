"""`resume`: a run whose porter-admin and worker were killed goes on with the very bytes it began with, whatever became
of the source meanwhile; what it left half done is settled first, without the project. Two hosts behind a real sshd.

Moments are chosen by conditions: the relay has passed so many bytes, or a handler of a plugin has reached its gate
and waits there for a file."""

import json
import os
import pathlib
import subprocess
import threading

import porter

GATE = """
#include <porter/porter.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>

// Waits at every gate that is closed by a file close-SIGNAL-MODULE, until that file is gone.
class Gate : public porter::Plugin {
 public:
  void register_signal_handlers(porter::Module& module) override {
    for (const porter::Signal& signal : {porter::SIG_DEPLOY_START, porter::SIG_HEALTH_CHECK,
                                         porter::SIG_DEPLOY_FINISH})
      module.push_signal_handler(signal, [name = std::string(signal.name())](porter::Module& here) {
        const porter::Context& context = here.service<porter::Context>();
        if (context.host().empty()) return;
        const std::string folder = std::getenv("TEST_GATES");
        const std::string gate = name + "-" + context.module();
        if (::access((folder + "/close-" + gate).c_str(), F_OK) != 0) return;
        std::ofstream(folder + "/reached-" + gate + "-" + context.host()) << context.run_id();
        while (::access((folder + "/close-" + gate).c_str(), F_OK) == 0) ::usleep(2000);
      });
  }
};

PORTER_PLUGIN(Gate, "tests.gate", "1.0", "stops at gates")
"""

ini = "path-two = %s/two/%s\n%s\n[plugin:tests.gate]\n"


class Resume(porter.Case):
    def setUp(self):
        super().setUp()
        self.gates = self.folder / "gates"
        self.gates.mkdir()
        self.env["TEST_GATES"] = str(self.gates)
        self.server = self.sshd()
        self.relay_ = self.relay(self.server)
        for host in ("one", "two"):
            self.ssh_config(host, self.server, self.relay_.port)
        self.make_project()

    def make_project(self, lib="", root="", name="project"):
        modules = {"lib": ini % (self.target, "lib", lib), "root": ini % (self.target, "root", root)}
        self.project(modules=("lib", "root"), hosts="one = one\ntwo = two",
                     extra="[config:testing]\nhosts = one, two\n[plugins]\npath = plugins\n", name=name, **modules)
        self.compile_plugin("tests.gate", GATE)

    # --- what a test does ---

    def deploy(self, *arguments, code=porter.OK, **more):
        return self.run_admin("deploy", "--config", "testing", *arguments, code=code, **more)

    def fill(self, text):
        """New content in both modules, with something large in each."""
        for module in ("lib", "root"):
            source = self.directory / module / "src"
            source.joinpath("file.txt").write_text("%s of %s\n" % (text, module))
            source.joinpath("large.bin").write_bytes(os.urandom(3_000_000))

    def source_sums(self):
        return {module: porter.file_sums(self.directory / module / "src") for module in ("lib", "root")}

    def live_sums(self):
        return [{module: porter.file_sums(self.site_of(host, module) / "current") for module in ("lib", "root")}
                for host in ("one", "two")]

    def site_of(self, host, module):
        return self.target / module if host == "one" else self.target / "two" / module

    def live_ids(self):
        """lib on one and two, root on one and two; "" where nothing is live."""
        links = [self.site_of(host, module) / "current" for module in ("lib", "root") for host in ("one", "two")]
        return [os.readlink(link) if link.is_symlink() else "" for link in links]

    def runs(self):
        folder = self.home / ".local/state/porter/runs"
        return sorted(each for each in os.listdir(folder) if each != "lock") if folder.exists() else []

    def only_run(self):
        self.assertEqual(len(self.runs()), 1, self.runs())
        return self.runs()[0]

    def close_gate(self, gate):
        (self.gates / ("close-" + gate)).touch()

    def reached(self, gate):
        return list(self.gates.glob("reached-%s-*" % gate))

    def kill_all(self, process):
        """porter-admin, and its worker at the same moment: nobody is left to settle."""
        workers = [pid for pid, words in porter.processes_with(self.mark)
                   if "porter-admin worker" in words and porter.is_below(pid, process.pid)]
        self.assertEqual(len(workers), 1)
        for pid in (process.pid, *workers):
            porter.kill(pid)
        process.communicate()

    def nothing_runs(self):
        porter.wait_until(lambda: not [words for _, words in porter.processes_with(self.mark)
                                       if "porter-admin" in words or "porter-agent" in words], 20, "all to end")

    def start_and_wait_at(self, gate, *arguments):
        """Begins a run and waits until a handler waits at the gate. Handlers of a plugin run one at a time, so it is
        one host's; before SIG_HEALTH_CHECK the other one is as far."""
        self.close_gate(gate)
        before = self.live_ids()
        process = self.start(*arguments)

        def there():
            live = "HEALTH" not in gate or not set(before[2:]) & set(self.live_ids()[2:])
            return process.poll() is not None or (self.reached(gate) and live)

        porter.wait_until(there, 60, gate)
        self.assertIsNone(process.poll(), "it ended before it came to " + gate)
        return process

    def deploy_killed_at(self, gate):
        process = self.start_and_wait_at(gate, "deploy", "--config", "testing", "-m", "the killed one")
        self.kill_all(process)
        self.nothing_runs()
        (self.gates / ("close-" + gate)).unlink()

    def assert_all_live(self, sums):
        for live in self.live_sums():
            self.assertEqual(live, sums)
        one_lib, two_lib, one_root, two_root = self.live_ids()
        self.assertEqual((one_lib, one_root), (two_lib, two_root))
        self.assertEqual(self.runs(), [])

    def sites_are_settled(self):
        for module in ("lib", "root", "two/lib", "two/root"):
            self.assert_settled(module)

    # --- killed ---

    def test_killed_in_the_middle_of_a_send(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        wanted = self.source_sums()
        relay, reached, go_on = self.relay_, threading.Event(), threading.Event()
        relay.reset()

        def on_bytes(sent, _):
            if sent > 4_000_000:
                reached.set()
                go_on.wait(60)

        relay.on_bytes = on_bytes
        process = self.start("deploy", "--config", "testing")
        try:
            porter.wait_until(lambda: reached.is_set() or process.poll() is not None, 60, "half of the send")
            self.assertIsNone(process.poll())
            self.kill_all(process)
        finally:
            relay.on_bytes = None
            go_on.set()
        self.nothing_runs()
        self.assertEqual(self.live_ids(), old)
        self.fill("third")
        run = self.only_run()
        self.run_admin("resume", run, code=porter.OK)
        self.assert_all_live(wanted)
        self.assertTrue(all(each.endswith(run[-4:]) for each in self.live_ids()))
        self.sites_are_settled()

    def test_killed_between_seal_and_activation(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        wanted = self.source_sums()
        self.deploy_killed_at("SIG_DEPLOY_START-root")
        self.assertEqual(self.live_ids(), old)
        self.fill("third")
        result = self.run_admin("resume", self.only_run(), "--json", code=porter.OK)
        self.assert_all_live(wanted)
        ends = {(each["module"], each["host"]): each for each in result.events("module_finished")}
        self.assertEqual({each["outcome"] for each in ends.values()}, {"deployed"})
        for host in ("one", "two"):
            self.assertEqual(ends["lib", host]["files_whole"] + ends["lib", host]["files_delta"], 0, "sent again")
            self.assertGreater(ends["root", host]["files_whole"] + ends["root", host]["files_delta"], 0)
        self.sites_are_settled()

    def test_killed_between_activation_and_commit(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        wanted = self.source_sums()
        self.deploy_killed_at("SIG_HEALTH_CHECK-root")
        self.assertNotEqual(self.live_ids(), old)
        self.fill("third")
        run = self.only_run()
        self.run_admin("resume", run, code=porter.OK)
        self.assert_all_live(wanted)
        self.sites_are_settled()
        history = self.run_admin("history", "--config", "testing", "--json", code=porter.OK).events("history")
        self.assertEqual({(each["action"], each["host"]) for each in history if each["run_id"] == run},
                         {(action, host) for action in ("revert", "commit") for host in ("one", "two")})

    def test_killed_on_the_first_deploy_with_shared_content(self):
        for module in ("lib", "root"):
            self.write("project/%s/src/var/seed.txt" % module, "seed of %s\n" % module)
        for module in ("lib", "root"):
            text = (self.directory / module / (module + ".ini")).read_text()
            (self.directory / module / (module + ".ini")).write_text(text + "[shared]\npaths = var/\n")
        self.deploy_killed_at("SIG_DEPLOY_START-lib")
        for module in ("lib", "root"):
            self.write("project/%s/src/var/seed.txt" % module, "another\n")
        self.run_admin("resume", self.only_run(), code=porter.OK)
        for host in ("one", "two"):
            for module in ("lib", "root"):
                seed = self.site_of(host, module) / "shared/var/seed.txt"
                self.assertEqual(seed.read_text(), "seed of %s\n" % module)

    def test_a_killed_resume_is_resumed(self):
        self.fill("first")
        self.deploy()
        self.fill("second")
        wanted = self.source_sums()
        self.deploy_killed_at("SIG_DEPLOY_START-root")
        self.fill("third")
        run = self.only_run()
        process = self.start_and_wait_at("SIG_HEALTH_CHECK-root", "resume", run)
        self.kill_all(process)
        self.nothing_runs()
        (self.gates / "close-SIG_HEALTH_CHECK-root").unlink()
        self.run_admin("resume", run, code=porter.OK)
        self.assert_all_live(wanted)
        self.sites_are_settled()

    def test_what_is_committed_has_nothing_to_do(self):
        self.fill("first")
        process = self.start_and_wait_at("SIG_DEPLOY_FINISH-root", "deploy", "--config", "testing")
        journal = self.home / ".local/state/porter/runs" / self.only_run() / "journal"
        porter.wait_until(lambda: journal.read_text().count('"step":"done"') == 4, 60, "all commits")
        self.kill_all(process)
        self.nothing_runs()
        live = self.live_ids()
        self.fill("second")
        result = self.run_admin("resume", self.only_run(), "--json", code=porter.OK)
        self.assertEqual({each["outcome"] for each in result.events("module_finished")}, {"unchanged"})
        self.assertEqual(self.live_ids(), live)
        self.assertEqual(self.runs(), [])

    # --- the source of then ---

    def test_the_result_of_a_build_is_kept(self):
        self.make_project(lib="build = ./build.sh")
        built = self.folder / "built"
        self.write("project/lib/src/build.sh",
                   "#!/bin/sh\nhead -c 200000 /dev/urandom > made.bin\ncat made.bin >> %s\n" % built, 0o755)
        self.deploy_killed_at("SIG_DEPLOY_START-root")
        self.assertEqual(built.stat().st_size, 200_000)
        self.write("project/lib/src/file.txt", "changed\n")
        self.run_admin("resume", self.only_run(), code=porter.OK)
        self.assertEqual(built.stat().st_size, 200_000, "it was built again")
        for host in ("one", "two"):
            self.assertEqual((self.site_of(host, "lib") / "current/made.bin").read_bytes(), built.read_bytes())
            self.assertEqual((self.site_of(host, "lib") / "current/file.txt").read_text(), "content of lib\n")

    def test_kept_are_the_bytes_that_a_target_lacks(self):
        self.fill("first")
        self.deploy()
        (self.directory / "root/src/file.txt").write_text("second\n")
        self.deploy_killed_at("SIG_HEALTH_CHECK-root")
        content = self.home / ".local/state/porter/runs" / self.only_run() / "content"
        self.assertEqual(sorted(os.listdir(content)), ["index", "pack"])
        self.assertEqual((content / "pack").read_text(), "second\n")
        (self.directory / "root/src/large.bin").write_bytes(b"changed")
        self.run_admin("resume", self.only_run(), code=porter.OK)
        self.assertEqual((self.site_of("one", "root") / "current/large.bin").stat().st_size, 3_000_000)

    def test_bytes_that_are_missing_are_named_and_nothing_is_activated(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        self.deploy_killed_at("SIG_DEPLOY_START-lib")
        folder = self.home / ".local/state/porter/runs" / self.only_run()
        for each in (folder / "content").iterdir():
            each.unlink()
        self.fill("third")
        result = self.run_admin("resume", self.only_run(), code=porter.NOTHING_ACTIVATED)
        self.assertRegex(result.err, r"src/(file\.txt|large\.bin): is not what it was when the deploy began")
        self.assertEqual(self.live_ids(), old)

    def test_two_operators_agree_by_what_is_on_the_target(self):
        origin = self.folder / "origin"
        git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", "-C", str(origin)]
        origin.mkdir()
        (origin / "file.txt").write_text("first\n")
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *command], check=True)
        source = "[scm]\nurl = git+file://%s\n[release:stable]\nbranch = main\n" % origin
        self.make_project(lib="\n" + source, root="\n" + source)
        self.deploy_killed_at("SIG_DEPLOY_START-root")
        (origin / "file.txt").write_text("second\n")
        subprocess.run([*git, "commit", "-q", "-a", "-m", "second"], check=True)
        self.run_admin("resume", self.only_run(), code=porter.OK)
        for host in ("one", "two"):
            self.assertEqual((self.site_of(host, "lib") / "current/file.txt").read_text(), "first\n")
        # The second one has a home and a checkout of her own, and the first commit.
        subprocess.run([*git, "reset", "-q", "--hard", "HEAD~1"], check=True)
        other = self.folder / "other-home"
        other.mkdir()
        (other / ".ssh").symlink_to(self.home / ".ssh")
        clone = self.folder / "other-clone"
        subprocess.run(["cp", "-r", str(self.directory), str(clone)], check=True)
        result = self.run_admin("deploy", "--config", "testing", "--json", cwd=clone, env={"HOME": str(other)},
                                code=porter.OK)
        self.assertEqual([each["outcome"] for each in result.events("module_finished")], ["unchanged"] * 4)

    def test_somebody_elses_deploy_is_not_gone_over(self):
        self.fill("first")
        self.deploy()
        self.fill("second")
        self.deploy_killed_at("SIG_DEPLOY_START-root")
        run = self.only_run()
        self.fill("third")
        other = self.folder / "other-home"
        other.mkdir()
        (other / ".ssh").symlink_to(self.home / ".ssh")
        self.deploy(env={"HOME": str(other)})
        live = self.live_ids()
        result = self.run_admin("resume", run, code=porter.REFUSED)
        self.assertIn("since the run began", result.err)
        self.assertEqual(self.live_ids(), live)

    # --- settling ---

    def test_a_settler_needs_no_project(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        process = self.start_and_wait_at("SIG_HEALTH_CHECK-root", "deploy", "--config", "testing")
        self.assertNotEqual(self.live_ids(), old)
        self.write("project/project.ini", "[[[ broken\n")
        self.write("project/root/root.ini", "broken\n")
        for pid, words in porter.processes_with(self.mark):
            if "porter-admin worker" in words:
                porter.kill(pid)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, porter.ROLLED_BACK, err)
        self.assertEqual(self.live_ids(), old)
        self.sites_are_settled()

    def test_a_resume_settles_before_it_reads_the_project(self):
        self.fill("first")
        self.deploy()
        old = self.live_ids()
        self.fill("second")
        self.deploy_killed_at("SIG_HEALTH_CHECK-root")
        self.write("project/project.ini", "[[[ broken\n")
        self.run_admin("resume", self.only_run(), code=porter.USAGE)
        self.assertEqual(self.live_ids(), old)

    # --- the command ---

    def test_unfinished_runs_are_listed(self):
        listing = self.run_admin("resume", code=porter.OK)
        self.assertEqual(listing.out, "")
        self.assertIn("no run is unfinished", listing.err)
        self.fill("first")
        process = self.start_and_wait_at("SIG_DEPLOY_START-lib", "deploy", "--config", "testing")
        run = self.only_run()
        self.assertIn("running", self.run_admin("resume", code=porter.OK).out)
        alive = self.run_admin("resume", run, code=porter.LOCKED)
        self.assertIn("run %s is still going on" % run, alive.err)
        self.kill_all(process)
        self.nothing_runs()
        line = self.run_admin("resume", code=porter.OK).out
        self.assertRegex(line, r"^%s  \S+Z  \S+@\S+  deploy --config testing --release stable  staged\n$" % run)
        listed = json.loads(self.run_admin("resume", "--json", code=porter.OK).out)
        self.assertEqual([each["run"] for each in listed], [run])
        unknown = self.run_admin("resume", "../" + run, code=porter.USAGE)
        self.assertIn("unfinished are: " + run, unknown.err)
        self.assertFalse(pathlib.Path(self.home / ".local/state/porter" / (run + ".log")).exists())
        (self.gates / "close-SIG_DEPLOY_START-lib").unlink()
        self.run_admin("resume", run, cwd=self.folder, code=porter.OK)
        log = (self.home / ".local/state/porter/logs" / (run + ".log")).read_text()
        self.assertIn("resume of", log)
        self.assertIn("deploy of", log)


if __name__ == "__main__":
    porter.main()
