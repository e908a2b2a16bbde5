#!/usr/bin/env python3
"""Would the judge notice? A target that is right, made by other means, is damaged in one way at a time."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import judge  # noqa: E402
import trees  # noqa: E402

TIME = 1_600_000_000 * 10 ** 9 + 123_456_789


class Judged(unittest.TestCase):
    """A source with one of each kind, and a target that is its copy."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-judge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.source, self.target = self.folder / "source", self.folder / "target"
        (self.source / "folder/empty").mkdir(parents=True)
        (self.source / "folder/file").write_bytes(b"content\n")
        (self.source / "same").write_bytes(b"content\n")
        (self.source / "folder/link").symlink_to("file")
        os.link(self.source / "folder/file", self.source / "second name")
        with open(self.source / "sparse", "wb") as file:
            file.truncate(2 << 20)
        self.set_times()
        self.copy()

    def set_times(self):
        for base, folders, files in os.walk(self.source, topdown=False):
            for name in files + folders + ["."]:
                os.utime(os.path.join(base, name), ns=(TIME, TIME), follow_symlinks=False)

    def copy(self):
        shutil.rmtree(self.target, ignore_errors=True)
        subprocess.run(["rsync", "-aHSX", "%s/" % self.source, str(self.target)], check=True)

    def judge(self, old_times=None, **more):
        judge.Judge(**more).compare(self.source, self.target, old_times or {})

    def must_notice(self, what, **more):
        with self.assertRaises(judge.Unlike) as caught:
            self.judge(**more)
        self.assertIn(what, str(caught.exception))

    def keeping_time(self, path):
        """Sets a folder's time back, so that a damage inside of it is all there is."""
        os.utime(self.target / path, ns=(TIME, TIME))

    def test_a_copy_is_right(self):
        self.judge()
        self.judge(features=("hardlinks", "sparse", "xattrs"))

    def test_a_mode(self):
        (self.target / "folder/file").chmod(0o755)
        self.must_notice("folder/file")

    def test_a_mode_of_a_folder(self):
        (self.target / "folder/empty").chmod(0o700)
        self.must_notice("folder/empty")

    def test_a_special_bit(self):
        (self.source / "same").chmod(0o4755)
        self.copy()
        (self.target / "same").chmod(0o4755)
        self.must_notice("same")
        (self.target / "same").chmod(0o755)
        self.judge()

    def test_a_nanosecond(self):
        for path in ("folder/file", "folder/empty", "."):
            os.utime(self.target / path, ns=(TIME + 1, TIME + 1))
            self.must_notice("b'%s'" % path.replace(".", ""))
            os.utime(self.target / path, ns=(TIME, TIME))
        self.judge()

    def test_the_old_time_of_a_folder_may_stay(self):
        old = 10 ** 18
        os.utime(self.target / "folder/empty", ns=(old, old))
        self.must_notice("folder/empty")
        text = judge.Listing(self.target).folder_times()[b"folder/empty"]
        self.judge({b"folder/empty": text})
        with self.assertRaises(judge.Unlike):
            self.judge({b"folder": text})

    def test_content_of_the_same_size_and_time(self):
        (self.target / "same").write_bytes(b"c0ntent\n")
        os.utime(self.target / "same", ns=(TIME, TIME))
        self.must_notice("rsync would have something to do")

    def test_something_missing_or_added(self):
        (self.target / "folder/empty").rmdir()
        self.keeping_time("folder")
        self.must_notice("missing: b'folder/empty'")
        (self.target / "folder/empty").mkdir()
        (self.target / "added").write_bytes(b"")
        self.must_notice("added: b'added'")

    def test_a_link(self):
        (self.target / "folder/link").unlink()
        (self.target / "folder/link").symlink_to("fil")
        self.keeping_time("folder")
        self.must_notice("folder/link")

    def test_a_kind(self):
        (self.target / "folder/link").unlink()
        shutil.copy2(self.target / "folder/file", self.target / "folder/link")
        self.keeping_time("folder")
        self.must_notice("folder/link")

    def test_hard_links_only_when_asked(self):
        for path in ("second name", "same"):
            (self.target / path).unlink()
            shutil.copy2(self.target / "folder/file", self.target / path)
        self.keeping_time(".")
        self.judge()
        self.must_notice("", features=("hardlinks",))
        self.copy()
        (self.target / "same").unlink()
        os.link(self.target / "folder/file", self.target / "same")
        self.keeping_time(".")
        self.must_notice("files became hard links", features=("hardlinks",))
        self.judge(features=("hardlinks",), merging=True)

    def test_holes_only_when_asked(self):
        (self.target / "sparse").write_bytes(bytes(2 << 20))
        os.utime(self.target / "sparse", ns=(TIME, TIME))
        self.judge()
        self.must_notice("holes were filled", features=("sparse",))

    def test_attributes(self):
        os.setxattr(self.source / "same", "user.one", b"value")
        self.must_notice("same")
        self.copy()
        self.judge()

    def test_a_site_in_place(self):
        """What is porter's own does not count, nor what the folder itself is like."""
        (self.target / ".porter").mkdir()
        (self.target / ".porter/journal").write_bytes(b"")
        self.target.chmod(0o700)
        self.judge(placed=True)
        (self.target / "folder/.porter").mkdir()
        self.must_notice("folder/.porter", placed=True)


class Snapshots(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-judge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "a/b/c").mkdir(parents=True)
        (self.folder / "a/file").write_bytes(b"content\n")
        (self.folder / "other/inside").mkdir(parents=True)
        self.before = judge.snapshot(self.folder)

    def differs(self):
        return bool(judge.differences(judge.snapshot(self.folder), self.before))

    def test_what_shows(self):
        self.assertFalse(self.differs())
        time = os.stat(self.folder / "a/file").st_mtime_ns
        (self.folder / "a/file").write_bytes(b"c0ntent\n")
        os.utime(self.folder / "a/file", ns=(time, time))
        self.assertTrue(self.differs())

    def test_the_time_of_a_folder_is_no_change_of_a_source(self):
        os.utime(self.folder / "a/b", ns=(TIME, TIME))
        self.assertTrue(self.differs())
        self.assertTrue(judge.is_same_tree(judge.snapshot(self.folder), self.before))
        os.utime(self.folder / "a/file", ns=(TIME, TIME))
        self.assertFalse(judge.is_same_tree(judge.snapshot(self.folder), self.before))

    def test_which_folders_are_left_alone(self):
        self.assertEqual(judge.folders_left_alone(self.before, self.before),
                         {b"", b"a", b"a/b", b"a/b/c", b"other", b"other/inside"})
        (self.folder / "a/file").write_bytes(b"changed\n")
        self.assertEqual(judge.folders_left_alone(self.before, judge.snapshot(self.folder)),
                         {b"a/b/c", b"other/inside"})


class Trees(unittest.TestCase):
    def test_the_same_seed_makes_the_same_tree(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            found = []
            for folder in (one, other):
                tree = trees.Tree(folder, random.Random(11))
                for _ in range(40):
                    tree.add_something(b"")
                found.append({entry.path: (entry.mode, entry.folder or entry.info.st_size) for entry in tree.entries()})
                subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
            self.assertGreater(len(found[0]), 40)
            self.assertEqual(*found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
