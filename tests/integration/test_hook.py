"""Hooks and what becomes of a deploy when one of them misbehaves: before the barrier nothing is activated,
after it the old release comes back."""

import os

import porter
from porter import NOTHING_ACTIVATED, OK, ROLLED_BACK

HEAD = """#include <porter/porter.h>
#include <cstdlib>
#include <csignal>
#include <stdexcept>
"""


class Hooks(porter.Case):
    def setUp(self):
        super().setUp()
        self.project()

    def hook(self, body, module="app"):
        return self.write("project/%s/deployment.cpp" % module, HEAD + "PORTER_DEPLOYMENT {\n%s\n}\n" % body)

    def test_a_replaced_send_changes_what_arrives_until_the_hook_is_gone(self):
        self.deploy()
        plain = porter.tree(self.current())
        source = self.hook("""
            module.replace_signal_handler(porter::SIG_SOURCE_SEND, [](porter::Module& m) {
              m.service<porter::Sender>().send();
              m.service<porter::Target>().write(m.destpath() + "/added/by-hook", "here\\n", 0640);
              m.service<porter::Target>().remove(m.destpath() + "/file.txt");
            });""")
        result = self.deploy_json()
        self.assertEqual(os.listdir(self.current()), ["added"])
        self.assertEqual((self.current() / "added/by-hook").read_text(), "here\n")
        self.assertEqual((self.current() / "added/by-hook").stat().st_mode & 0o7777, 0o640)
        handlers = [each["handler"] for each in result.events("signal_fired") if each["signal"] == "SIG_SOURCE_SEND"]
        self.assertEqual(handlers, ["app/deployment.so"])
        source.unlink()
        self.deploy()
        self.assertEqual(porter.tree(self.current()), plain)
        self.assert_settled()

    def test_a_send_of_another_folder(self):
        other = self.write("elsewhere/only.txt", "only this\n").parent
        self.hook("""
            module.replace_signal_handler(porter::SIG_SOURCE_SEND, [](porter::Module& m) {
              m.service<porter::Sender>().send_folder("%s");
            });""" % other)
        self.deploy()
        self.assertEqual(os.listdir(self.current()), ["only.txt"])

    def test_order_is_defaults_then_hook_then_plugins_as_the_ini_lists_them(self):
        self.plugins("z.late", "a.early")
        self.ini("[plugin:z.late]\n[plugin:a.early]")
        self.hook("""
            module.push_signal_handler(porter::SIG_SOURCE_SEND,
                [](porter::Module& m) { porter::log(m, "I am the hook"); });
            porter::HandlerOptions first; first.priority = -1;
            module.push_signal_handler(porter::SIG_SOURCE_SEND,
                [](porter::Module& m, const porter::Payload&) { porter::log(m, "I am first"); }, first);""")
        result = self.deploy_json()
        handlers = [each["handler"] for each in result.events("signal_fired") if each["signal"] == "SIG_SOURCE_SEND"]
        self.assertEqual(handlers, ["app/deployment.so", "porter-admin", "app/deployment.so", "z.late", "a.early"])

    def plugins(self, *names):
        """Plugins that push one handler each, compiled into the project's plugin folder."""
        self.write("project/project.ini", "[project]\nname = Test\ndepends = app\n[hosts]\nhere = local:\n"
                   "[plugins]\npath = plugins\n")
        for name in names:
            self.compile_plugin(name, HEAD + """
                class One : public porter::Plugin {
                  void register_signal_handlers(porter::Module& module) override {
                    module.push_signal_handler(porter::SIG_SOURCE_SEND, [](porter::Module&) {});
                  }
                };
                PORTER_PLUGIN(One, "%s", "1", "one handler")""" % name)

    # --- failures before the barrier: exit 5, nothing activated ---

    def failing(self, signal, action):
        self.hook('module.push_signal_handler(porter::%s, [](porter::Module&) { %s });' % (signal, action))

    def assert_old_release(self, before, release):
        self.assertEqual(self.release_of(), release)
        self.assertEqual(porter.tree(self.current()), before)
        self.assert_settled()

    def change(self, text="new\n"):
        self.write("project/app/src/file.txt", text)
        self.write("project/app/src/added.txt", text)

    def test_an_exception_before_the_barrier_activates_nothing_and_names_the_culprit(self):
        self.deploy()
        before, release = porter.tree(self.current()), self.release_of()
        self.change()
        for signal in ("SIG_SOURCE_PREPARE", "SIG_DEPLOY_START", "SIG_SOURCE_PRE_SEND", "SIG_SOURCE_SEND",
                       "SIG_SOURCE_POST_SEND"):
            self.failing(signal, 'throw std::runtime_error("no coffee");')
            result = self.deploy(code=None)
            with self.subTest(signal):
                self.assertEqual(result.code, NOTHING_ACTIVATED, result)
                for word in ("deployment", signal, "app", "no coffee") + (
                        () if signal == "SIG_SOURCE_PREPARE" else ("here",)):
                    self.assertIn(word, result.err.split("error[", 1)[1])
                self.assert_old_release(before, release)

    def test_what_is_no_std_exception_fails_as_well(self):
        self.failing("SIG_SOURCE_POST_SEND", "throw 42;")
        self.deploy(code=NOTHING_ACTIVATED)
        self.assertFalse(os.path.lexists(self.current()))

    def test_a_failing_module_keeps_every_module_back(self):
        self.project(("app", "last"))
        self.deploy()
        release = self.release_of()
        self.change()
        self.write("project/last/src/file.txt", "new")
        self.hook('module.push_signal_handler(porter::SIG_SOURCE_POST_SEND,'
                  ' [](porter::Module&) { throw std::runtime_error("no"); });', "last")
        self.deploy(code=NOTHING_ACTIVATED)
        self.assertEqual(self.release_of(), release)
        self.assert_settled("app")
        self.assert_settled("last")

    # --- failures after it: exit 6, the old release is back ---

    def test_an_exception_after_the_barrier_brings_the_old_release_back(self):
        self.deploy()
        before, release = porter.tree(self.current()), self.release_of()
        self.change()
        for signal in ("SIG_PRE_ACTIVATE", "SIG_ACTIVATE", "SIG_POST_ACTIVATE", "SIG_HEALTH_CHECK"):
            self.failing(signal, 'throw std::runtime_error("no coffee");')
            result = self.deploy(code=None)
            with self.subTest(signal):
                self.assertEqual(result.code, ROLLED_BACK, result)
                for word in ("deployment", signal, "app", "here", "no coffee"):
                    self.assertIn(word, result.err.split("error[", 1)[1])
                self.assert_old_release(before, release)

    def test_a_failing_first_deploy_leaves_nothing_live(self):
        self.failing("SIG_HEALTH_CHECK", 'throw std::runtime_error("no coffee");')
        self.deploy(code=ROLLED_BACK)
        self.assertFalse(os.path.lexists(self.current()))
        failed = os.listdir(self.site() / "releases")
        self.assertEqual(os.listdir(self.site() / ".porter/bad"), failed)  # kept to be looked at, never offered
        self.assertEqual(len(failed), 1)
        (self.directory / "app/deployment.cpp").unlink()
        self.deploy()
        self.assert_settled()

    def test_an_earlier_module_comes_back_when_a_later_one_fails(self):
        self.project(("app", "last"))
        self.deploy()
        release = self.release_of()
        before = porter.tree(self.current())
        self.change()
        self.write("project/last/src/file.txt", "new")
        self.hook('module.push_signal_handler(porter::SIG_HEALTH_CHECK,'
                  ' [](porter::Module&) { throw std::runtime_error("no"); });', "last")
        self.deploy(code=ROLLED_BACK)
        self.assert_old_release(before, release)
        self.assert_settled("last")

    # --- hooks that take the process with them ---

    def test_a_hook_that_exits_is_never_a_success(self):
        self.deploy()
        before, release = porter.tree(self.current()), self.release_of()
        self.change()
        for action in ("std::exit(0);", "_exit(0);", "std::quick_exit(0);"):
            for signal, code in (("SIG_SOURCE_POST_SEND", NOTHING_ACTIVATED), ("SIG_POST_ACTIVATE", ROLLED_BACK)):
                self.hook("module.push_signal_handler(porter::%s, [](porter::Module&) { %s });" % (signal, action))
                with open(self.directory / "app/deployment.cpp", "r+") as file:
                    text = file.read()
                    file.seek(0)
                    file.write("#include <unistd.h>\n" + text)
                result = self.deploy(code=None)
                with self.subTest(signal + " " + action):
                    self.assertEqual(result.code, code, result)
                    self.assertIn("ended in the middle", result.err)
                    self.assertIn("while hook app/deployment.so 0 handled %s of app on here" % signal, result.err)
                    self.assert_old_release(before, release)

    def test_a_hook_that_crashes_is_settled(self):
        self.deploy()
        before, release = porter.tree(self.current()), self.release_of()
        self.change()
        for signal, code in (("SIG_SOURCE_POST_SEND", NOTHING_ACTIVATED), ("SIG_POST_ACTIVATE", ROLLED_BACK)):
            self.failing(signal, "std::raise(SIGSEGV);")
            result = self.deploy(code=None)
            with self.subTest(signal):
                self.assertEqual(result.code, code, result)
                self.assertIn("signal 11", result.err)
                self.assert_old_release(before, release)
        (self.directory / "app/deployment.cpp").unlink()
        self.deploy()
        self.assertEqual((self.current() / "file.txt").read_text(), "new\n")
        self.assert_settled()

    def test_a_hook_that_does_not_compile_is_shown_with_its_line(self):
        self.write("project/app/deployment.cpp", HEAD + "PORTER_DEPLOYMENT { nonsense; }\n")
        result = self.deploy(code=porter.PLUGIN_REFUSED)
        self.assertIn("deployment.cpp:5", result.err)
        self.assertIn("nonsense", result.err)
        self.assertEqual(os.listdir(self.target), [])

    def test_copy_config_file_and_a_signal_of_its_own(self):
        self.hook("""
            static constexpr porter::Signal kMine = porter::Signal::named("coffee-is-ready");
            module.push_signal_handler(kMine, [](porter::Module& m, const porter::Payload& p) {
              m.service<porter::Target>().write(m.destpath() + "/mine", p.at("cup"), 0);
            }, {});
            module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, [](porter::Module& m) {
              porter::copy_config_file(m, "local_settings.py");
              m.emit(kMine, {{"cup", "full"}});
            });""")
        self.write("project/app/config/testing/local_settings.py", "DEBUG = True\n", 0o600)
        result = self.deploy_json("--config", "testing")
        self.assertEqual((self.current() / "local_settings.py").read_text(), "DEBUG = True\n")
        self.assertEqual((self.current() / "local_settings.py").stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.current() / "mine").read_text(), "full")
        self.assertIn("coffee-is-ready", self.signals(result))


if __name__ == "__main__":
    porter.main()
