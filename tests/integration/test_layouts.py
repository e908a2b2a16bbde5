"""What happens to the folder on the target: releases and inplace, what is shared, kept, deleted and refused."""

import os
import re

import porter
from porter import OK, ROLLED_BACK, USAGE


class Inplace(porter.Case):
    def setUp(self):
        super().setUp()
        self.project(app="layout = inplace")
        self.source = self.directory / "app/src"

    def names(self):
        return sorted(each for each in os.listdir(self.site()) if each != ".porter")

    def test_files_are_replaced_added_and_deleted_and_others_left_alone(self):
        for name in ("gone.txt", "folder/gone.txt", "folder/stays.txt"):
            self.write("project/app/src/" + name, name)
        self.deploy()
        self.assertEqual(self.names(), ["file.txt", "folder", "gone.txt"])
        self.write("target/app/folder/theirs.txt", "not ours")
        self.write("target/app/theirs/deep.txt", "not ours")
        (self.source / "gone.txt").unlink()
        (self.source / "folder/gone.txt").unlink()
        self.write("project/app/src/file.txt", "replaced\n")
        self.write("project/app/src/new/file.txt", "new\n")
        self.deploy()
        self.assertEqual(self.names(), ["file.txt", "folder", "new", "theirs"])
        self.assertEqual((self.site() / "file.txt").read_text(), "replaced\n")
        self.assertEqual(sorted(os.listdir(self.site() / "folder")), ["stays.txt", "theirs.txt"])
        self.assertEqual((self.site() / "theirs/deep.txt").read_text(), "not ours")
        before = porter.everything(self.site())
        self.assertEqual(self.deploy_json().events("signal_fired"), [])
        self.assertEqual(porter.everything(self.site()), before)

    def test_a_folder_whose_files_are_all_deleted_stays_when_it_holds_theirs(self):
        self.write("project/app/src/folder/ours.txt", "x")
        self.deploy()
        self.write("target/app/folder/theirs.txt", "not ours")
        (self.source / "folder/ours.txt").unlink()
        (self.source / "folder").rmdir()
        self.deploy()
        self.assertEqual(os.listdir(self.site() / "folder"), ["theirs.txt"])

    def test_delete_unknown_takes_what_is_not_in_the_source(self):
        self.deploy()
        self.write("target/app/theirs.txt", "not ours")
        self.ini("layout = inplace\ndelete = unknown")
        self.deploy()
        self.assertEqual(self.names(), ["file.txt"])

    def test_a_failure_after_the_barrier_puts_every_file_back(self):
        self.write("project/app/src/gone.txt", "x")
        self.deploy()
        before = porter.tree(self.site())
        old = {path: entry for path, entry in before.items() if not path.startswith(b".porter")}
        (self.source / "gone.txt").unlink()
        self.write("project/app/src/file.txt", "replaced\n")
        self.write("project/app/src/new/file.txt", "new\n")
        for signal in ("SIG_SOURCE_POST_SEND", "SIG_HEALTH_CHECK"):
            self.write("project/app/deployment.cpp", """#include <porter/porter.h>
                PORTER_DEPLOYMENT { module.push_signal_handler(porter::%s, [](porter::Module& m) {
                  if (m.service<porter::Target>().read(m.destpath() + "/file.txt", 99) != "replaced\\n") return;
                  throw std::runtime_error("the new tree is there");
                }); }""" % signal)
            result = self.deploy(code=None)
            with self.subTest(signal):
                self.assertEqual(result.code, ROLLED_BACK, result)
                now = {path: entry for path, entry in porter.tree(self.site()).items()
                       if not path.startswith(b".porter")}
                self.assertEqual(now, old)

    def test_the_other_layout_is_refused(self):
        self.deploy()
        self.ini("")
        before = porter.everything(self.site())
        result = self.deploy(code=USAGE)
        self.assertIn("inplace", result.err)
        self.assertEqual(porter.everything(self.site()), before)


class MaxDelete(porter.Case):
    def many(self, ini):
        self.project(app=ini)
        for number in range(20):
            self.write("project/app/src/many/%d" % number, "x")
        self.deploy()

    def remove(self, count):
        for number in range(count):
            (self.directory / "app/src/many" / str(number)).unlink()

    def test_more_deletions_than_allowed_stop_before_anything_changes(self):
        for limit in ("25%", "5"):
            for layout in ("releases", "inplace"):
                with self.subTest(limit=limit, layout=layout):
                    porter.shutil.rmtree(self.folder / "project", ignore_errors=True)
                    porter.shutil.rmtree(self.site(), ignore_errors=True)
                    self.many("layout = %s\nmax_delete = %s" % (layout, limit))
                    before = {path: each for path, each in porter.tree(self.site()).items() if b".porter" not in path}
                    self.remove(7)
                    result = self.deploy(code=None)
                    self.assertNotEqual(result.code, OK, result)
                    self.assertIn("max_delete", result.err)
                    self.assertIn("7", result.err)
                    now = {path: each for path, each in porter.tree(self.site()).items() if b".porter" not in path}
                    self.assertEqual(now, before)
                    for number in range(4):  # three deletions are few enough
                        self.write("project/app/src/many/%d" % number, "x")
                    self.deploy()
                    live = self.current() if layout == "releases" else self.site()
                    self.assertEqual(len(os.listdir(live / "many")), 17)


class Foreign(porter.Case):
    def test_a_folder_of_somebody_else_is_refused_until_it_is_adopted(self):
        self.project()
        self.write("target/app/precious/file", "not ours")
        before = porter.everything(self.target)
        result = self.deploy(code=USAGE)
        self.assertIn("--adopt", result.err)
        self.assertIn(str(self.site()), result.err)
        self.assertEqual(porter.everything(self.target), before)
        self.deploy("--adopt")
        self.assertEqual((self.site() / "precious/file").read_text(), "not ours")
        self.assertEqual((self.current() / "file.txt").read_text(), "content of app\n")
        self.deploy("--force")
        self.assertEqual((self.site() / "precious/file").read_text(), "not ours")

    def test_a_current_of_somebody_else_is_refused_and_kept_when_adopted(self):
        for make in ("folder", "link"):
            with self.subTest(make):
                porter.shutil.rmtree(self.site(), ignore_errors=True)
                self.project()
                old = self.write("target/app/%s/file.txt" % ("current" if make == "folder" else "v1"), "old").parent
                if make == "link":
                    os.symlink("v1", self.current())
                result = self.deploy(code=USAGE)
                self.assertIn("--adopt", result.err)
                self.assertEqual((self.current() / "file.txt").read_text(), "old")
                self.deploy("--adopt")
                self.assertEqual((self.current() / "file.txt").read_text(), "content of app\n")
                aside = [each for each in os.listdir(self.site()) if each.startswith("current.before-porter")]
                self.assertEqual(len(aside), 1)
                self.assertEqual((self.site() / aside[0] / "file.txt").read_text(), "old")
                self.assertTrue(old.exists() or make == "folder")

    def test_an_empty_folder_is_nobodys(self):
        self.project()
        self.site().mkdir()
        self.deploy()
        self.assert_settled()

    def test_a_newer_format_is_refused(self):
        self.project()
        self.deploy()
        format_file = self.site() / ".porter/format"
        format_file.write_text(re.sub(r"porter-site=\d+", "porter-site=999", format_file.read_text()))
        before = porter.everything(self.site())
        self.write("project/app/src/file.txt", "new")
        result = self.deploy(code=USAGE)
        self.assertIn("999", result.err)
        self.assertEqual(porter.everything(self.site()), before)


class Shared(porter.Case):
    def test_shared_paths_survive_releases_and_are_seeded_once(self):
        self.project(app="[shared]\npaths = var/uploads/, settings.env\n")
        self.write("project/app/src/settings.env", "from the source\n")
        self.write("project/app/src/var/uploads/first.txt", "seed\n")
        self.deploy()
        live = self.current()
        self.assertTrue((live / "settings.env").is_symlink())
        self.assertTrue((live / "var/uploads").is_symlink())
        self.assertEqual((live / "settings.env").read_text(), "from the source\n")
        self.assertEqual((live / "var/uploads/first.txt").read_text(), "seed\n")
        (live / "settings.env").write_text("changed on the host\n")
        (live / "var/uploads/second.txt").write_text("uploaded\n")
        self.write("project/app/src/settings.env", "changed in the source\n")
        self.write("project/app/src/file.txt", "changed\n")
        first = self.release_of()
        self.deploy()
        self.assertNotEqual(self.release_of(), first)
        self.assertEqual((live / "settings.env").read_text(), "changed on the host\n")
        self.assertEqual(sorted(os.listdir(live / "var/uploads")), ["first.txt", "second.txt"])
        self.assert_settled()

    def test_in_place_nothing_is_made_for_shared_paths(self):
        self.project(app="layout = inplace\n[shared]\npaths = var/uploads/\n")
        self.deploy()
        self.assertEqual(sorted(os.listdir(self.site())), [".porter", "file.txt"])

    def test_pruned_releases_leave_what_is_shared_alone(self):
        self.project(app="keep_releases = 2\n[shared]\npaths = data/\n")
        for number in range(5):
            self.write("project/app/src/file.txt", str(number))
            self.deploy()
            (self.current() / "data" / str(number)).write_text("kept")
        self.assertEqual(len(os.listdir(self.site() / "releases")), 2)
        self.assertEqual(sorted(os.listdir(self.site() / "shared/data")), ["0", "1", "2", "3", "4"])


class Settings(porter.Case):
    def test_keep_releases_prunes_the_oldest(self):
        self.project(app="keep_releases = 3")
        made = []
        for number in range(6):
            self.write("project/app/src/file.txt", str(number))
            self.deploy()
            made.append(self.release_of())
        self.assertEqual(sorted(os.listdir(self.site() / "releases")), sorted(made[-3:]))
        self.assert_settled()

    def test_config_files_come_from_the_config(self):
        self.project(app="[config_files]\nsettings.ini = settings.ini\netc/opt.ini? = opt.ini\n",
                     extra="[config:testing]\nhosts = here\n[config:production]\nhosts = here\n")
        self.write("project/app/config/testing/settings.ini", "testing\n", 0o640)
        self.write("project/app/config/production/settings.ini", "production\n")
        self.write("project/app/config/production/opt.ini", "optional\n")
        self.run_admin("deploy", "--config", "testing", code=OK)
        self.assertEqual((self.current() / "settings.ini").read_text(), "testing\n")
        self.assertEqual((self.current() / "settings.ini").stat().st_mode & 0o777, 0o640)
        self.assertFalse((self.current() / "etc").exists())
        self.run_admin("deploy", "--config", "production", code=OK)
        self.assertEqual((self.current() / "settings.ini").read_text(), "production\n")
        self.assertEqual((self.current() / "etc/opt.ini").read_text(), "optional\n")

    def test_suffixes_by_host_and_config(self):
        self.project(hosts="one = local:\ntwo = local:", extra="[config:testing]\nhosts = one, two\n")
        self.write("project/app/app.ini", "[module]\n" + "".join(
            "path%s = %s/%s\n" % (suffix, self.target, name) for suffix, name in
            (("", "plain"), ("-testing", "config"), ("-two", "host"))))
        self.run_admin("deploy", "--config", "testing", code=OK)
        self.assertEqual(sorted(os.listdir(self.target)), ["config", "host"])
        self.run_admin("deploy", "--host", "one", code=OK)
        self.assertEqual(sorted(os.listdir(self.target)), ["config", "host", "plain"])

    def test_what_is_excluded_does_not_arrive(self):
        self.project(app="exclude = *.log, drafts/")
        for name in ("a.log", "deep/b.log", "drafts/x", "kept.txt", ".gitignore", ".git/config", "private/no",
                     "deep/.gitmodules"):
            self.write("project/app/src/" + name, "x")
        self.write("project/app/src/.porterignore", "/private\n")
        self.deploy()
        found = {path.decode() for path, entry in porter.tree(self.current()).items() if entry[0].startswith(b"f")}
        self.assertEqual(found - {".porterignore"}, {"file.txt", "kept.txt"})

    def test_every_kind_of_entry_arrives_as_it_is(self):
        self.project()
        source = os.fsencode(self.directory / "app/src")
        for number, name in enumerate([b"with space", b"new\nline", b"-leading", b"tab\there", b"\xff\xfe bytes",
                                       "ünïcode".encode(), b"quo'te\"", b"$(touch X)", b"back\\slash", b"*"]):
            with open(os.path.join(source, name), "wb") as file:
                file.write(b"x" * number)
        os.mkdir(source + b"/empty")
        os.mkdir(source + b"/mode")
        os.chmod(source + b"/mode", 0o750)
        with open(source + b"/mode/tool", "wb") as file:
            file.write(b"#!/bin/sh\n")
        os.chmod(source + b"/mode/tool", 0o755)
        os.utime(source + b"/mode/tool", ns=(1, 1234567890123456789))
        os.symlink(b"../nowhere/at all", source + b"/dangling")
        os.symlink(b"mode/tool", source + b"/link\n")
        open(source + b"/zero", "wb").close()
        for path in (b"/empty", b"/zero"):
            os.utime(source + path, ns=(1, 1111111111000000000))
        self.deploy()
        self.assertEqual(porter.tree(self.current()), porter.tree(source))
        self.assertEqual(os.listdir(self.current() / "empty"), [])


if __name__ == "__main__":
    porter.main()
