"""plan and deploy --plan, diff and drift, freezes, locks that are waited for, status and doctor: what an operator
sees before anything is done, and what is refused."""

import json
import os

import porter
from porter import LOCKED, OK, REFUSED, SOME_FAILED, UNREACHABLE, USAGE

PLAN_HAS_CHANGES = 3


class Case(porter.Case):
    def setUp(self):
        super().setUp()
        self.project()
        self.ini("[config_files]\nlocal.py = local.py\n")
        self.write("project/app/config/testing/local.py", "DEBUG = False\nPASSWORD = 'first-secret'\n")
        self.write("project/app/src/old.txt", "old\n")
        self.write("project/app/src/same.txt", "same\n")

    def ask(self, command, *arguments, code=OK, **more):
        return self.run_admin(command, "--config", "testing", "--host", "here", *arguments, code=code, **more)

    def go(self, *arguments, **more):
        return self.deploy("--config", "testing", *arguments, **more)

    def change(self):
        self.write("project/app/src/file.txt", "changed\n")
        self.write("project/app/src/new.txt", "new\n")
        (self.directory / "app/src/old.txt").unlink()
        self.write("project/app/config/testing/local.py", "DEBUG = True\nPASSWORD = 'second-secret'\n")

    def snapshot(self):
        return porter.tree(self.site() / "releases"), os.readlink(self.current())


class Plan(Case):
    def test_exact_files_deletions_first_settings_without_secrets_and_handlers(self):
        self.go()
        self.change()
        self.write("project/app/deployment.cpp", """#include <porter/porter.h>
            PORTER_DEPLOYMENT { module.push_signal_handler(porter::SIG_POST_ACTIVATE, [](porter::Module&) {}); }""")
        before = self.snapshot()
        result = self.ask("plan")
        self.assertEqual(self.snapshot(), before)
        lines = [line.strip() for line in result.out.splitlines()]
        self.assertEqual(lines[0][:46], "app on here: 1 new, 2 changed, 1 deleted, at m")
        self.assertEqual(lines[1:5], ["- old.txt", "~ file.txt", "~ local.py", "+ new.txt"])
        self.assertEqual(lines[5:7], ["| local.py:1: DEBUG: False -> True", "| local.py:2: PASSWORD changed"])
        self.assertIn("runs SIG_POST_ACTIVATE: hook app/deployment.so 0", lines)
        self.assertNotIn("secret'", result.out + result.err)
        plan = self.ask("plan", "--json").events("planned")[0]
        self.assertEqual((plan["files_new"], plan["files_changed"], plan["files_deleted"]), (1, 2, 1))
        self.assertEqual(plan["paths"], lines[1:5])
        self.assertEqual(self.go("--dry-run").out, result.out)
        self.assertEqual(self.snapshot(), before)

    def test_the_exit_code_says_whether_there_is_something_when_asked(self):
        self.ask("plan", "--detailed-exitcode", code=PLAN_HAS_CHANGES)
        self.ask("plan", code=OK)
        self.go()
        self.assertIn("nothing to do", self.ask("plan", "--detailed-exitcode", code=OK).out)

    def test_a_deploy_is_held_to_its_plan(self):
        self.go()
        self.change()
        self.ask("plan", "--out", "plan.json")
        self.assertEqual(json.loads((self.directory / "plan.json").read_text())["porter_plan"], 1)
        before = self.snapshot()
        source = self.directory / "app/src/file.txt"
        times = source.stat()
        self.write("project/app/src/file.txt", "changed again\n")
        result = self.go("--plan", "plan.json", code=REFUSED)
        self.assertIn("the source changed", result.err)
        self.assertEqual(self.snapshot(), before)
        self.write("project/app/src/file.txt", "changed\n")
        os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.go("--plan", "plan.json")
        self.assertEqual((self.current() / "new.txt").read_text(), "new\n")
        self.assertIn("is live, it was", self.go("--plan", "plan.json", code=REFUSED).err)

    def test_a_plan_is_stale_once_somebody_else_has_deployed(self):
        self.go()
        self.change()
        self.ask("plan", "--out", "plan.json")
        self.write("project/app/src/new.txt", "somebody else's\n")
        self.go()
        self.write("project/app/src/new.txt", "new\n")
        before = self.snapshot()
        self.assertIn("is live, it was", self.go("--plan", "plan.json", code=REFUSED).err)
        self.assertEqual(self.snapshot(), before)

    def test_what_is_no_plan(self):
        self.write("project/plan.json", "{}")
        result = self.go("--plan", "plan.json", code=USAGE)
        self.assertIn("plan.json: is no plan", result.err)
        self.assertIn("porter-admin plan --out FILE", result.err)
        self.go("--plan", "not-there.json", code=None)
        self.assertFalse(os.path.lexists(self.current()))


class Drift(Case):
    def found(self):
        return ["%s %s %s" % (each["kind"], each["path"], each["what"])
                for each in self.ask("diff", "--json").events("drift")]

    def test_every_kind_of_difference_and_none_of_what_the_application_writes(self):
        self.ini("generated = *.pyc, cache/\n[config_files]\nlocal.py = local.py\n")
        self.go()
        self.assertEqual(self.found(), [])
        release = self.current().resolve()
        (release / "file.txt").write_text("by hand\n")
        (release / "same.txt").chmod(0o600)
        (release / "old.txt").unlink()
        (release / "core").write_text("dump\n")
        (release / "module.pyc").write_text("code\n")
        (release / "cache").mkdir()
        (release / "cache/page").write_text("cached\n")
        self.assertEqual(sorted(self.found()), ["added core ", "changed file.txt content",
                                                "changed same.txt mode 0600, was 0644", "missing old.txt "])
        self.ask("diff", "--detailed-exitcode", code=PLAN_HAS_CHANGES)
        status = self.ask("status", "--json").events("site_status")[0]
        self.assertEqual((status["drift_changed"], status["drift_missing"]), (2, 1))
        self.write("project/app/src/new.txt", "new\n")
        result = self.go()  # releases: a warning, and the next release is whole
        self.assertIn("2 changed and 1 missing since the last deploy", result.err)
        self.assertEqual((self.current() / "old.txt").read_text(), "old\n")
        self.assertEqual(self.found(), [])

    def test_in_place_hand_edits_stop_a_deploy_unless_they_are_to_be_overwritten(self):
        self.ini("layout = inplace\n")
        self.go()
        (self.site() / "file.txt").write_text("by hand\n")
        self.write("project/app/src/new.txt", "new\n")
        result = self.go(code=REFUSED)
        self.assertIn("file.txt", result.err)
        self.assertIn("--overwrite-drift", result.err)
        self.assertEqual((self.site() / "file.txt").read_text(), "by hand\n")
        self.assertFalse((self.site() / "new.txt").exists())
        self.assertIn("~ file.txt", self.ask("plan").out)
        self.go("--overwrite-drift")
        self.assertEqual((self.site() / "file.txt").read_text(), "content of app\n")
        self.assertEqual((self.site() / "new.txt").read_text(), "new\n")


class Freeze(Case):
    def test_a_frozen_config_is_refused_with_its_reason_from_any_machine(self):
        self.go()
        self.ask("freeze", "-m", "no changes during the sale")
        self.change()
        before = self.snapshot()
        stranger = {"HOME": str(self.folder / "another-home"), "USER": "stranger"}
        result = self.go(code=REFUSED, env=stranger)
        for word in ("config testing is frozen since", "no changes during the sale", "porter-admin unfreeze"):
            self.assertIn(word, result.err)
        self.assertEqual(self.snapshot(), before)
        self.assertIn("no changes during the sale", self.ask("status").out)
        self.write("project/app/config/staging/local.py", "")
        self.deploy("--config", "staging")  # another config
        self.ask("unfreeze")
        self.go()

    def test_a_frozen_config_may_still_go_back(self):
        self.go()
        first = self.release_of()
        self.change()
        self.go()
        self.ask("freeze", "-m", "sale")
        self.ask("rollback")
        self.assertEqual(self.release_of(), first)

    def test_a_freeze_wants_a_reason(self):
        self.go()
        self.assertIn("say why", self.ask("freeze", code=USAGE).err)


class Locks(Case):
    HOLDS = """#include <porter/porter.h>
        #include <chrono>
        #include <filesystem>
        #include <fstream>
        #include <thread>
        PORTER_DEPLOYMENT {
          module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, [](porter::Module&) {
            std::ofstream("%(folder)s/there") << "";
            while (!std::filesystem::exists("%(folder)s/go-on"))
              std::this_thread::sleep_for(std::chrono::milliseconds(5));
          });
        }"""

    def hold(self):
        self.write("project/app/deployment.cpp", self.HOLDS % {"folder": self.folder})
        process = self.start("deploy", "--host", "here", "--config", "testing", "-m", "the great change")
        self.addCleanup(process.communicate)
        self.addCleanup(self.write, "go-on")
        porter.wait_until((self.folder / "there").exists, 60, "the holder's handler")
        return process

    def held_by(self, process, text):
        run = text.split("run ", 1)[1].split()[0].rstrip(")")
        for word in (porter.user_name() + "@", "since 20", "deploy of app", "the great change"):
            self.assertIn(word, text)
        self.assertTrue((self.home / ".local/state/porter/runs" / run).exists(), run)

    def test_a_busy_site_says_who_holds_it_since_when_which_run_and_why(self):
        process = self.hold()
        self.held_by(process, self.go(code=LOCKED).err)
        self.held_by(process, self.ask("status").out)

    def test_waiting_for_the_lock(self):
        holder = self.hold()
        (self.directory / "app/deployment.cpp").unlink()
        self.change()
        waits = self.start("deploy", "--host", "here", "--config", "testing", "--lock-wait", "60", "--json")
        said = b""
        while b"waiting: " not in said:
            said = waits.stdout.readline()
            self.assertTrue(said, "it never waited")
        self.held_by(holder, json.loads(said)["text"])
        self.write("go-on")
        holder.communicate(timeout=60)
        self.assertEqual(holder.returncode, OK)
        _, err = waits.communicate(timeout=60)
        self.assertEqual(waits.returncode, OK, err)
        self.assertEqual((self.current() / "new.txt").read_text(), "new\n")
        self.assert_settled()

    def test_the_wait_ends(self):
        self.hold()
        (self.directory / "app/deployment.cpp").unlink()
        result = self.go("--lock-wait", "1", code=LOCKED)
        self.assertIn("locked by", result.err)

    def test_a_killed_holder_holds_nothing(self):
        process = self.hold()
        (self.directory / "app/deployment.cpp").unlink()
        for pid, words in porter.processes_with(self.mark):
            if porter.is_below(pid, process.pid):
                porter.kill(pid)
        self.go("--lock-wait", "60")
        self.assert_settled()


class Doctor(Case):
    def checked(self, *arguments, **more):
        return {each["subject"]: each for each in self.ask("doctor", "--json", *arguments, **more).events("checked")
                if each["verdict"] != "ok" and each["subject"] != "sudo"}

    def test_nothing_is_wrong_with_a_fresh_and_with_a_deployed_site(self):
        self.assertEqual(self.checked(code=OK), {})
        self.go()
        self.assertEqual(self.checked(code=OK), {})

    def test_what_is_wrong_comes_with_a_fix(self):
        self.go()
        (self.site() / ".porter/manifests" / self.release_of()).write_bytes(b"rubbish")
        self.write("project/app/deployment.cpp", "nonsense\n")
        self.ask("freeze", "-m", "sale")
        found = self.checked(code=SOME_FAILED)
        self.assertEqual(sorted(found), ["freeze", "hook", "seal"])
        self.assertEqual([found[each]["verdict"] for each in sorted(found)], ["warning", "problem", "problem"])
        for each in found.values():
            self.assertTrue(each["fix"], each)
        self.go("--force", code=None)

    def test_a_folder_of_somebody_else_and_a_host_that_is_down(self):
        self.write("target/app/theirs.txt", "theirs\n")
        found = self.checked(code=SOME_FAILED)
        self.assertIn("--adopt", found["folder"]["fix"])
        port = porter.free_port()
        with open(self.home / ".ssh/config", "a") as config:
            config.write("Host gone\n  HostName 127.0.0.1\n  Port %d\n" % port)
        self.project(hosts="gone = gone")
        result = self.run_admin("doctor", "--host", "gone", "--json", code=SOME_FAILED)
        ssh = [each for each in result.events("checked") if each["subject"] == "ssh"]
        self.assertEqual([each["verdict"] for each in ssh], ["problem"])
        self.assertIn("127.0.0.1", ssh[0]["text"])
        self.run_admin("status", "--host", "gone", code=UNREACHABLE)


if __name__ == "__main__":
    porter.main()
