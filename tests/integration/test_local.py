"""The first things a user types, on this machine alone (`local:`)."""

import os
import pathlib

import porter
from porter import OK, USAGE


class CreateProject(porter.Case):
    def test_a_new_project_deploys_at_once_and_a_second_time_does_nothing(self):
        for name, command in (("first", "create-project"), ("second", "create_project")):
            self.run_admin(command, name, cwd=self.folder, code=OK)
            self.directory = self.folder / name
            first = self.run_admin("deploy", "--config", "testing", "--json", code=OK)
            self.assertTrue(first.events("signal_fired"))
            live = self.directory / "deployed/web/current"
            self.assertTrue(live.is_symlink())
            self.assertEqual((live / "index.html").read_text(), "<h1>It works.</h1>\n")
            self.assertTrue((live / "settings.ini").is_file())
            before = porter.everything(self.directory / "deployed")
            second = self.run_admin("deploy", "--config", "testing", "--json", code=OK)
            self.assertEqual(second.events("signal_fired"), [])
            self.assertEqual([each["outcome"] for each in second.events("module_finished")], ["unchanged"])
            self.assertEqual(porter.everything(self.directory / "deployed"), before)

    def test_a_folder_that_is_there_is_not_touched(self):
        self.write("mine/file", "precious")
        result = self.run_admin("create-project", "mine", cwd=self.folder, code=USAGE)
        self.assertIn("exists", result.err)
        self.assertEqual(os.listdir(self.folder / "mine"), ["file"])

    def test_help_and_version_work_outside_of_a_project(self):
        for arguments in (["--help"], ["--version"], ["deploy", "--help"], ["run", "--help"], ["plugins", "--help"],
                          ["hosts", "--help"], ["hosts", "trust", "--help"], ["explain", "--help"],
                          ["create-project", "--help"], ["explain", "keep_releases"]):
            result = self.run_admin(*arguments, cwd=self.folder, code=OK)
            self.assertTrue(result.out.strip(), arguments)
            self.assertEqual(result.err, "", arguments)
        result = self.run_admin("deploy", cwd=self.folder, code=USAGE)
        self.assertIn("project.ini", result.err)


class Deploy(porter.Case):
    def test_unchanged_says_so_and_touches_nothing(self):
        self.project()
        self.deploy()
        before = porter.everything(self.target)
        result = self.deploy()
        self.assertIn("unchanged", result.err)
        self.assertEqual(porter.everything(self.target), before)

    def test_a_change_makes_a_new_release_and_keeps_the_old(self):
        self.project()
        self.deploy()
        first = self.release_of()
        self.write("project/app/src/file.txt", "new\n")
        self.write("project/app/src/more/deep/file", "more\n")
        self.deploy()
        self.assertEqual((self.current() / "file.txt").read_text(), "new\n")
        self.assertEqual((self.site() / "releases" / first / "file.txt").read_text(), "content of app\n")
        self.assertNotEqual(self.release_of(), first)
        self.assert_settled()

    def test_drift_is_noticed_and_mended(self):
        self.project()
        self.deploy()
        (self.current() / "file.txt").write_text("changed by hand\n")
        result = self.deploy()
        self.assertIn("file.txt", result.err)
        self.assertEqual((self.current() / "file.txt").read_text(), "content of app\n")

    def test_force_takes_exact_names(self):
        # "app" is part of "application": that must not force both.
        self.project(("app", "application", "other"))
        self.deploy()
        for given, forced in ((["--force", "app"], ["app"]), (["--force", "application"], ["application"]),
                              (["--force", "app,other"], ["app", "other"]),
                              (["--force", "app, other"], ["app", "other"]),
                              (["--force"], ["app", "application", "other"])):
            result = self.deploy_json(*given)
            outcomes = {each["module"]: each["outcome"] for each in result.events("module_finished")}
            done = sorted(name for name, outcome in outcomes.items() if outcome == "deployed")
            self.assertEqual(done, forced, given)
            self.assertEqual(sorted({each["module"] for each in result.events("signal_fired")}), forced, given)
        result = self.deploy("--force", "appl", code=USAGE)
        self.assertIn("appl", result.err)
        before = porter.everything(self.target)
        self.deploy("--force", "app,nothing", code=USAGE)
        self.assertEqual(porter.everything(self.target), before)

    def test_dry_run_changes_nothing_and_lists_paths(self):
        self.project()
        self.assertEqual(os.listdir(self.target), [])
        result = self.deploy("--dry-run")
        self.assertIn("file.txt", result.err + result.out)
        self.assertEqual(os.listdir(self.target), [])
        self.deploy()
        self.write("project/app/src/file.txt", "longer than before\n")
        self.write("project/app/src/new.txt", "x")
        before = porter.everything(self.target)
        result = self.deploy_json("--dry-run")
        (plan,) = result.events("planned")
        self.assertEqual(sorted(plan["paths"]), ["+ new.txt", "~ file.txt"])
        self.assertEqual(porter.everything(self.target), before)

    def test_dependencies_come_first_and_no_deps_leaves_them_out(self):
        self.project(("web", "library"), web="depends = library")
        result = self.deploy_json("web")
        self.assertEqual([each["module"] for each in result.events("module_finished")], ["library", "web"])
        self.write("project/library/src/file.txt", "changed")
        self.write("project/web/src/file.txt", "changed")
        result = self.deploy_json("--no-deps", "web")
        self.assertEqual([each["module"] for each in result.events("module_finished")], ["web"])
        self.assertEqual((self.current("library") / "file.txt").read_text(), "content of library\n")
        self.assertEqual((self.current("web") / "file.txt").read_text(), "changed")

    def test_json_is_one_event_a_line_and_quiet_is_quiet(self):
        self.project()
        result = self.deploy_json()
        kinds = [each["event"] for each in result.events()]
        self.assertEqual((kinds[0], kinds[-1]), ("run_started", "run_finished"))
        self.assertEqual(result.events("run_finished")[0]["exit_code"], 0)
        self.assertEqual(self.signals(result), ["SIG_SOURCE_SEND", "SIG_DEPLOY", "SIG_ACTIVATE"])
        for each in result.events():
            self.assertIn("time", each)
        self.write("project/app/src/file.txt", "2")
        quiet = self.deploy("-q")
        self.assertEqual((quiet.out, quiet.err), ("", ""))
        failed = self.deploy("-q", "nothing", code=USAGE)
        self.assertIn("nothing", failed.err)
        self.write("project/app/src/file.txt", "3")
        self.assertGreater(len(self.deploy("-v").err), len(self.deploy().err))

    def test_the_log_file_is_named_and_private(self):
        self.project()
        result = self.deploy()
        (line,) = [each for each in result.err.splitlines() if each.startswith("log: ")]
        path = line[len("log: "):]
        self.assertTrue(path.startswith(str(self.home)))
        self.assertIn("SIG_SOURCE_SEND", pathlib.Path(path).read_text())
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o077, 0)

    def test_two_hosts_and_a_relative_path(self):
        self.project(hosts="here = local:\nthere = local:")
        self.write("project/app/app.ini", "[module]\npath = out/app\npath-there = out/elsewhere\n")
        self.run_admin("deploy", "--host", "here,there", code=OK)
        for name in ("app", "elsewhere"):
            self.assertTrue((self.directory / "out" / name / "current/file.txt").is_file())

    def test_build_runs_in_a_private_checkout(self):
        self.project(app="build = python3 make.py 'two words' $(touch CANARY)")
        self.write("project/app/src/make.py", "import os, sys\n"
                   "open('made.txt', 'w').write(repr(sys.argv[1:]) + os.environ['PORTER_MODULE'])\n")
        self.deploy()
        self.assertEqual((self.current() / "made.txt").read_text(), "['two words', '$(touch', 'CANARY)']app")
        self.assertEqual(sorted(os.listdir(self.directory / "app/src")), ["file.txt", "make.py"])
        self.write("project/app/src/make.py", "import sys\nprint('went wrong')\nsys.exit(3)\n")
        result = self.deploy(code=porter.NOTHING_ACTIVATED)
        self.assertIn("went wrong", result.err)
        self.assertTrue((self.current() / "made.txt").is_file())
        self.assert_settled()


class Mistakes(porter.Case):
    """Exit 2, before anything is connected or changed."""

    def mistake(self, *arguments, said=(), changed=False):
        result = self.run_admin("deploy", *arguments, code=USAGE)
        for each in said:
            self.assertIn(each, result.err)
        self.assertNotIn("connected", result.err)
        self.assertEqual(os.listdir(self.target), [])
        return result

    def test_unknown_release_lists_the_known(self):
        self.project(app="[scm]\nurl = none://\n[release:stable]\nversion = 1\n[release:preview]\nversion = 2\n")
        self.mistake("--host", "here", "--release", "gold", said=["gold", "stable", "preview"])

    def test_misspelt_config_host_module_and_flag(self):
        self.project(extra="[config:testing]\nhosts = here\n")
        self.mistake("--config", "tesing", said=["tesing", "did you mean", "testing"])
        self.mistake("--host", "hre", said=["hre", "here"])
        self.mistake("--config", "testing", "ap", said=["ap", "app"])
        self.mistake("--confg", "testing", said=["--confg", "--config"])
        self.run_admin("deploi", code=USAGE)

    def test_no_host_lists_hosts_and_configs(self):
        self.project(hosts="here = local:\nthere = local:", extra="[config:testing]\nhosts = here\n")
        self.mistake(said=["here", "there", "testing"])
        self.mistake("--host", "!here,!there")

    def test_all_mistakes_of_all_files_at_once_with_file_and_line(self):
        self.project(("app", "web"))
        self.write("project/app/app.ini",
                   "[module]\npath = %s/app\nkeep_release = 3\nlayout = sideways\n\n[modul]\nx = 1\n" % self.target)
        self.write("project/web/web.ini", "[module]\npath = %s/web\ndepends = ap\nnot an ini line\n" % self.target)
        with open(self.directory / "project.ini", "a") as project:
            project.write("[projet]\nname = x\n")
        result = self.mistake("--host", "here", said=[
            "app/app.ini:3", "keep_releases", "app/app.ini:4", "sideways", "releases", "app/app.ini:6", "modul",
            "web/web.ini:3", "web/web.ini:4", "project.ini:", "projet"])
        self.assertGreaterEqual(result.err.count("error[P"), 6, result)
        self.assertIn("did you mean", result.err)

    def test_a_cycle_shows_its_path(self):
        self.project(("a", "b", "c"), a="depends = b", b="depends = c", c="depends = a")
        self.mistake("--host", "here", said=["a -> b -> c -> a"])

    def test_a_missing_config_file_is_found_before_any_connection(self):
        self.project(hosts="here = 127.0.0.1:1", extra="[config:testing]\nhosts = here\n",
                     app="[config_files]\nsettings.ini = settings.ini\nlocal.ini? = local.ini\n")
        self.write("project/app/config/testing/setings.ini", "")
        result = self.mistake("--config", "testing", said=["settings.ini", "app/app.ini:4"])
        self.assertNotIn("local.ini", result.err)

    def test_sections_that_are_known_by_name_only(self):
        self.project(extra="[repository:main]\nurl = https://x.example.org\n")
        self.mistake("--host", "here", said=["not yet supported"])

    def test_confirm_needs_a_yes(self):
        self.project(extra="[config:testing]\nhosts = here\nconfirm = yes\n")
        self.mistake("--config", "testing", said=["--yes"])
        self.run_admin("deploy", "--config", "testing", "--yes", code=OK)


class Commands(porter.Case):
    def test_run_runs_one_program_with_its_own_arguments(self):
        self.project()
        result = self.run_admin("run", "--host", "here", "--", "printf", "%s|", "a b", "--host", "$HOME", "*", code=OK)
        self.assertIn("a b|--host|$HOME|*|", result.out)
        result = self.run_admin("run", "--host", "here", "--", "false")
        self.assertNotEqual(result.code, OK)

    def test_hosts_plugins_and_explain(self):
        self.project(extra="[host:here]\ntags = canary\n")
        self.assertIn("here", self.run_admin("hosts", code=OK).out)
        self.assertIn("porter.plugins.sendpickedversions", self.run_admin("plugins", code=OK).out)
        self.assertIn("app/app.ini", self.run_admin("explain", "module.path", code=OK).out)
        result = self.run_admin("explain", "keep_release", code=USAGE)
        self.assertIn("keep_releases", result.err)


if __name__ == "__main__":
    porter.main()
