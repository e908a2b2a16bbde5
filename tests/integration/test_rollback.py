"""Going back: the older release as it was, with its config files, links and installed files; undo steps that
nobody is left to run but the next deploy; marks that say what is kept and what is not offered."""

import os

import porter
from porter import NOTHING_ACTIVATED, OK, REFUSED, ROLLED_BACK, USAGE

HOOK = """#include <porter/porter.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
namespace {
void note(const std::string& line) { std::ofstream("%(folder)s/heard", std::ios::app) << line << "\\n"; }
}
PORTER_DEPLOYMENT {
%(body)s
}
"""

# Installs a file outside of the tree and says how to take a service's entry back.
INSTALLS = """
  module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, [](porter::Module& m) {
    porter::install_file(m, "service.conf", "%(outside)s/etc/service.conf", 0640);
    porter::on_undo(m, {"/bin/sh", "-c", "echo undone >>%(folder)s/undone"});
  });
"""


class Case(porter.Case):
    def setUp(self):
        super().setUp()
        self.outside = self.folder / "outside"
        self.project()
        self.ini("[config_files]\nlocal.py = local.py\n[shared]\npaths = uploads/\n")
        self.config(1)

    def config(self, number):
        """What release `number` is made of."""
        self.write("project/app/src/file.txt", "release %d\n" % number)
        self.write("project/app/src/only-in-%d" % number, "")
        self.write("project/app/config/testing/local.py", "NUMBER = %d\n" % number)
        self.write("project/app/config/testing/service.conf", "number %d\n" % number)

    def hook(self, body):
        words = {"folder": self.folder, "outside": self.outside}
        self.write("project/app/deployment.cpp", HOOK % dict(words, body=body % words))

    def no_hook(self):
        (self.directory / "app/deployment.cpp").unlink()

    def go(self, *arguments, **more):
        return self.deploy("--config", "testing", *arguments, **more)

    def rollback(self, *arguments, code=OK):
        return self.run_admin("rollback", "--config", "testing", "--host", "here", *arguments, code=code)

    def two_releases(self):
        self.go()
        first, self.first = porter.tree(self.current()), self.release_of()
        self.config(2)
        self.go()
        self.second = self.release_of()
        return first, porter.tree(self.current())

    def installed(self):
        path = self.outside / "etc/service.conf"
        return (path.read_text(), path.stat().st_mode & 0o777) if path.exists() else None

    def look(self, command, kind, *arguments, code=OK):
        return self.run_admin(command, "--config", "testing", "--host", "here", "--json", *arguments,
                              code=code).events(kind)


class Rollback(Case):
    def test_everything_of_the_older_release_comes_back(self):
        self.hook(INSTALLS)
        first, second = self.two_releases()
        self.assertNotEqual(first, second)
        self.write("target/app/shared/uploads/mine", "stays\n")
        self.assertEqual(self.installed(), ("number 2\n", 0o640))
        self.rollback("-m", "the page is wrong")
        self.assertEqual(self.release_of(), self.first)
        (self.site() / "shared/uploads/mine").unlink()
        self.assertEqual(porter.tree(self.current()), first)
        self.assertEqual((self.current() / "local.py").read_text(), "NUMBER = 1\n")
        self.assertEqual(self.installed(), ("number 1\n", 0o640))
        self.assertFalse((self.folder / "undone").exists())  # both releases stayed
        self.assert_settled()
        last = self.look("history", "history")[-1]
        self.assertEqual((last["action"], last["release_id"], last["previous"], last["message"], last["config"]),
                         ("rollback", self.first, self.second, "the page is wrong", "testing"))
        found = {each["release_id"]: each for each in self.look("releases", "release")}
        self.assertTrue(found[self.first]["current"])
        self.assertIn("the page is wrong", found[self.second]["bad"])

    def test_a_file_that_only_the_newer_release_installed_goes(self):
        self.write("outside/etc/service.conf", "the distribution's\n", 0o600)
        self.go()
        self.config(2)
        self.hook(INSTALLS)
        self.go()
        self.assertEqual(self.installed(), ("number 2\n", 0o640))
        self.rollback()
        self.assertEqual(self.installed(), ("the distribution's\n", 0o600))
        self.assert_settled()

    def test_a_release_that_was_tampered_with_is_refused_before_anything_changes(self):
        _, second = self.two_releases()
        victim = self.site() / "releases" / self.first / "file.txt"
        times = victim.stat()
        victim.write_text("RELEASE 1\n")
        os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
        result = self.rollback(code=REFUSED)
        self.assertIn("file.txt", result.err)
        self.assertEqual(self.release_of(), self.second)
        self.assertEqual(porter.tree(self.current()), second)
        self.assert_settled()

    def test_a_rollback_that_fails_leaves_what_was_live(self):
        self.hook(INSTALLS)
        _, second = self.two_releases()
        self.hook(INSTALLS + """
          module.push_signal_handler(porter::SIG_HEALTH_CHECK,
              [](porter::Module&) { throw std::runtime_error("no coffee"); });""")
        result = self.rollback(code=ROLLED_BACK)
        self.assertIn("no coffee", result.err)
        self.assertEqual(self.release_of(), self.second)
        self.assertEqual(porter.tree(self.current()), second)
        self.assertEqual(self.installed(), ("number 2\n", 0o640))
        self.assert_settled()

    def test_the_signals_of_a_rollback(self):
        self.two_releases()
        self.hook("""
          for (const porter::Signal& signal : {porter::SIG_PRE_ACTIVATE, porter::SIG_ACTIVATE, porter::SIG_ROLLBACK,
                                               porter::SIG_DEPLOY_FINISH, porter::SIG_SOURCE_SEND})
            module.push_signal_handler(signal, [name = std::string(signal.name())](porter::Module&,
                                                                                   const porter::Payload& payload) {
              const porter::SignalContext context = porter::context_of(payload);
              note(name + " " + std::to_string(context.phase == porter::Phase::rollback) + " " + context.from + " " +
                   context.to);
            }, {});""")
        self.rollback()
        self.assertEqual((self.folder / "heard").read_text().splitlines(),
                         ["%s 1 %s %s" % (signal, self.second, self.first)
                          for signal in ("SIG_PRE_ACTIVATE", "SIG_ACTIVATE", "SIG_ROLLBACK")])

    def test_which_release(self):
        self.two_releases()
        self.assertIn("there is no release nonsense", self.rollback("--to", "nonsense", code=USAGE).err)
        self.rollback("--to", self.first)
        self.assertIn("no older release", self.rollback(code=USAGE).err)
        self.assertIn("is bad", self.rollback("--to", self.second, code=USAGE).err)
        self.run_admin("releases", "--config", "testing", "--good", self.second, code=OK)
        self.rollback("--to", self.second)
        self.assertEqual(self.release_of(), self.second)

    def test_in_place_one_deploy_back(self):
        self.ini("layout = inplace\n")
        self.go()
        first = porter.tree(self.site(), times=False)
        self.config(2)
        self.go()
        self.assertNotEqual(self.tree_of_site(), self.without_porter(first))
        self.rollback()
        self.assertEqual(self.tree_of_site(), self.without_porter(first))
        self.assertIn("no older release", self.rollback(code=USAGE).err)
        last = self.look("history", "history")[-1]
        self.assertEqual((last["action"], last["release_id"]), ("rollback", self.live()))

    def test_in_place_a_rollback_that_fails_leaves_what_ran(self):
        self.ini("layout = inplace\n")
        self.hook(INSTALLS)
        self.go()
        first = self.tree_of_site()
        self.config(2)
        self.go()
        live, second = self.live(), self.tree_of_site()
        self.hook(INSTALLS + """
          module.push_signal_handler(porter::SIG_HEALTH_CHECK,
              [](porter::Module&) { throw std::runtime_error("no coffee"); });""")
        self.assertIn("no coffee", self.rollback(code=ROLLED_BACK).err)
        self.assertEqual(self.live(), live)
        self.assertEqual(self.tree_of_site(), second)
        self.assertEqual(self.installed(), ("number 2\n", 0o640))
        self.hook(INSTALLS)
        self.rollback()  # and can be tried again
        self.assertEqual(self.tree_of_site(), first)
        self.assertEqual(self.installed(), ("number 1\n", 0o640))

    def live(self):
        return os.readlink(self.site() / ".porter/live")

    def tree_of_site(self):
        return self.without_porter(porter.tree(self.site(), times=False))

    @staticmethod
    def without_porter(tree):
        return {path: what for path, what in tree.items() if not path.startswith(b".porter")}


class Undo(Case):
    def test_a_deploy_that_fails_takes_back_what_it_installed(self):
        for signal, code in (("SIG_SOURCE_POST_SEND", NOTHING_ACTIVATED), ("SIG_POST_ACTIVATE", ROLLED_BACK)):
            self.hook(INSTALLS + 'module.push_signal_handler(porter::%s, [](porter::Module&) {'
                                 ' throw std::runtime_error("no coffee"); });' % signal)
            self.go(code=code)
            self.assertIsNone(self.installed())
            self.assertFalse((self.outside / "etc").exists())
            self.assertEqual((self.folder / "undone").read_text(), "undone\n")
            (self.folder / "undone").unlink()
        self.no_hook()
        self.go()
        self.assert_settled()

    def start_and_wait(self, signal):
        """A deploy that is in a handler of `signal`, which does not end."""
        self.hook(INSTALLS + """
          module.push_signal_handler(porter::%s, [](porter::Module&) {
            note("there");
            while (!std::filesystem::exists("%%(folder)s/go-on"))
              std::this_thread::sleep_for(std::chrono::milliseconds(5));
          });""" % signal)
        process = self.start("deploy", "--host", "here", "--config", "testing")
        porter.wait_until(lambda: (self.folder / "heard").exists() or process.poll() is not None, 60, signal)
        self.assertIsNone(process.poll())
        self.no_hook()
        return process

    def assert_undone(self):
        self.assertEqual(self.installed(), ("the distribution's\n", 0o600))
        self.assertEqual((self.folder / "undone").read_text(), "undone\n")
        self.assert_settled()

    def second_over_a_file(self):
        """The release that is about to come installs over a file of somebody else."""
        self.write("outside/etc/service.conf", "the distribution's\n", 0o600)
        self.go()
        self.config(2)

    def test_a_settler_takes_back_what_a_dead_worker_did_without_project_and_plugins(self):
        self.second_over_a_file()
        before = porter.tree(self.current())
        process = self.start_and_wait("SIG_POST_ACTIVATE")
        self.assertEqual(self.installed(), ("number 2\n", 0o640))
        self.write("project/project.ini", "rubbish\n")
        for pid, words in porter.processes_with(self.mark):
            if "porter-admin worker" in words:
                porter.kill(pid)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, ROLLED_BACK, err.decode())
        self.assertEqual(porter.tree(self.current()), before)
        self.assert_undone()

    def test_the_next_deploy_takes_back_what_a_dead_machine_left_before_the_switch(self):
        self.second_over_a_file()
        process = self.start_and_wait("SIG_PRE_ACTIVATE")
        for pid, _ in porter.processes_with(self.mark):
            porter.kill(pid)
        process.communicate()
        self.assertFalse((self.folder / "undone").exists())
        self.go()
        self.assertEqual((self.current() / "file.txt").read_text(), "release 2\n")
        self.assert_undone()

    def test_an_undo_step_that_fails_is_told_and_stops_no_other(self):
        self.go()
        old = self.release_of()
        self.config(2)
        self.hook(INSTALLS + """
          module.push_signal_handler(porter::SIG_PRE_ACTIVATE,
              [](porter::Module& m) { porter::on_undo(m, {"/bin/sh", "-c", "echo no >&2; exit 3"}); });
          module.push_signal_handler(porter::SIG_HEALTH_CHECK,
              [](porter::Module&) { throw std::runtime_error("no coffee"); });""")
        result = self.go(code=porter.ROLLBACK_FAILED)
        self.assertIn("exit 3", result.err)
        self.assertEqual(self.release_of(), old)
        self.assertIsNone(self.installed())
        self.assertEqual((self.folder / "undone").read_text(), "undone\n")


class Marks(Case):
    def test_a_pinned_release_is_never_pruned(self):
        self.ini("keep_releases = 1\n")
        self.go()
        pinned = self.release_of()
        self.run_admin("releases", "--config", "testing", "--pin", pinned, code=OK)
        for number in range(2, 6):
            self.config(number)
            self.go()
        names = os.listdir(self.site() / "releases")
        self.assertIn(pinned, names)
        self.assertEqual(len(names), 3)  # with the live one and the one before it
        self.run_admin("releases", "--config", "testing", "--unpin", pinned, code=OK)
        self.config(6)
        self.go()
        self.assertNotIn(pinned, os.listdir(self.site() / "releases"))

    def test_a_failed_release_is_kept_to_be_looked_at_and_never_offered(self):
        first, _ = self.two_releases()
        self.config(3)
        self.hook('module.push_signal_handler(porter::SIG_HEALTH_CHECK,'
                  ' [](porter::Module&) { throw std::runtime_error("no coffee"); });')
        self.go(code=ROLLED_BACK)
        self.no_hook()
        bad = [each for each in self.look("releases", "release") if each["bad"]]
        self.assertEqual(len(bad), 1)
        self.assertIn("no coffee", bad[0]["bad"])
        self.assertEqual((self.site() / "releases" / bad[0]["release_id"] / "file.txt").read_text(), "release 3\n")
        self.rollback()
        self.assertEqual(porter.tree(self.current()), first)


if __name__ == "__main__":
    porter.main()
