"""The benchmark itself: its judge sees what is planted, its slow link is as slow as it says, every kind of row comes out
with its numbers, and a contestant whose target is not the source fails the run."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
from unittest import mock

import disk
import judge
import main as bench_main
import rivals
from measure import median
from shared import porter

PROXY = str(porter.BUILD / "tests/delay_proxy")
WHO = "porter,rsync,link-dest,porter run,ssh at once,floor"


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-test-bench-"))
        self.addCleanup(shutil.rmtree, self.folder)


class Judge(Folder):
    def setUp(self):
        super().setUp()
        self.source, self.target = self.folder / "source", self.folder / "target"
        (self.source / "sub").mkdir(parents=True)
        (self.source / "sub/file").write_text("content")
        (self.source / "other").write_text("content")
        (self.source / "link").symlink_to("other")
        self.copy("-a", judge.FULL)

    def copy(self, how, keeps):
        """A target with which the judge has nothing to find fault."""
        shutil.rmtree(self.target, ignore_errors=True)
        subprocess.run(["cp", how, str(self.source), str(self.target)], check=True)
        self.assertEqual(judge.differences(self.source, self.target, keeps), [])

    def assert_seen(self, word, keeps=judge.FULL):
        self.assertIn(word, " ".join(judge.differences(self.source, self.target, keeps)))

    def test_other_bytes_of_the_same_size_and_time(self):
        file = self.target / "sub/file"
        times = os.stat(file)
        file.write_text("CONTENT")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assert_seen("sub/file")

    def test_what_those_get_wrong_who_keep_no_times_and_links(self):
        self.copy("-rL", judge.CONTENT)
        self.assert_seen("link")  # which is none any more
        (self.target / "sub/file").write_text("CONTENT")
        (self.target / "link").unlink()
        self.assert_seen("sub/file", judge.CONTENT)
        self.assert_seen("link", judge.CONTENT)

    def test_a_mode(self):
        (self.target / "sub/file").chmod(0o600)
        self.assert_seen("sub/file")

    def test_times_of_files_folders_and_links_to_the_nanosecond(self):
        for name in ("other", "sub", "link"):
            with self.subTest(name):
                path = self.target / name
                before = os.lstat(path)
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1), follow_symlinks=False)
                self.assert_seen("%s: " % name)
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)

    def test_a_link_that_leads_elsewhere(self):
        (self.target / "link").unlink()
        (self.target / "link").symlink_to("sub")
        self.assert_seen("link")

    def test_something_missing_and_something_more(self):
        (self.target / "other").rename(self.target / "more")
        self.assert_seen("other")
        self.assert_seen("deleting   more")


class SlowLink(unittest.TestCase):
    def link(self, *options):
        """A connected pair of sockets, with the proxy between them."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = subprocess.Popen([PROXY, "--to", str(server.getsockname()[1]), *options], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
            self.addCleanup(proxy.stdout.close)
            self.addCleanup(proxy.wait, 10)  # it ends by itself when its input does
            self.addCleanup(proxy.stdin.close)
            near = socket.create_connection(("127.0.0.1", int(proxy.stdout.readline())), 10)
            far = server.accept()[0]
        for each in (near, far):
            each.settimeout(20)
            self.addCleanup(each.close)
        return near, far

    def test_a_round_trip_takes_what_was_asked_for(self):
        near, far = self.link("--delay-us", "30000")
        times = []
        for _ in range(5):
            began = time.monotonic()
            near.sendall(b"x")
            far.sendall(far.recv(1))
            near.recv(1)
            times.append(time.monotonic() - began)
        self.assertGreaterEqual(min(times), 0.060)
        self.assertLess(median(times), 0.090)

    def test_all_bytes_arrive_in_order_and_the_end_does(self):
        near, far = self.link("--delay-us", "5000")
        content = os.urandom(5_000_000)
        sender = threading.Thread(target=lambda: (near.sendall(content), near.shutdown(socket.SHUT_WR)))
        sender.start()
        found = b"".join(iter(lambda: far.recv(1 << 20), b""))
        sender.join()
        self.assertTrue(found == content)
        far.sendall(b"still open")  # the other direction
        self.assertEqual(near.recv(100), b"still open")

    def test_the_rate_is_the_rate(self):
        near, far = self.link("--delay-us", "5000", "--bits-per-second", "40000000")
        began = time.monotonic()
        sender = threading.Thread(target=lambda: (near.sendall(bytes(2_500_000)), near.shutdown(socket.SHUT_WR)))
        sender.start()
        count = sum(len(part) for part in iter(lambda: far.recv(1 << 20), b""))
        seconds = time.monotonic() - began
        sender.join()
        self.assertEqual(count, 2_500_000)
        self.assertGreater(seconds, 0.49)
        self.assertLess(seconds, 0.9)


class Whole(Folder):
    def bench(self, *words):
        """The benchmark's exit code, and its raw results."""
        words = ["bench", "--smoke", "--trees-folder", str(self.folder / "trees"), "--target-folder",
                 str(self.folder / "targets"), "--out", str(self.folder / "out"), *words]
        with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(io.StringIO()) as self.said:
            code = bench_main.main()
        return code, json.loads((self.folder / "out/full.json").read_text())

    def test_every_kind_of_row_has_its_numbers(self):
        code, found = self.bench("--with", WHO)
        # A rival may fail by itself (rsync 3.2.7 now and then rejects what it has sent with --link-dest); we may not.
        ours = [fault for fault in found["faults"] if ", porter" in fault["where"]]
        self.assertEqual((code, ours), (1 if found["faults"] else 0, []), self.said.getvalue())
        rows = {row["row"]: row for row in found["rows"]}
        page = (self.folder / "out/full.md").read_text()
        for name, row in rows.items():
            with self.subTest(name):
                self.assertIn("`%s`" % name, page)
                self.assertIn(row["us"], row["runs"])
                self.assertNotEqual(row["verdict"], "not measured")
                self.assertEqual([name for name in row["wrong"] if name.startswith("porter")], [])
        self.assertEqual(len(rows), 9)
        for name in ("full-ratios.svg", "full-seconds.svg"):
            xml.etree.ElementTree.parse(self.folder / "out" / name)
        self.assertGreater(rows["far-nothing/tiny"]["medians"]["rsync"], rows["nothing/tiny"]["medians"]["rsync"] + 0.3)
        peaks = rows["memory/tiny"]["peaks"]
        self.assertLessEqual({"supervisor", "worker", "agent"}, set(peaks["porter"]))
        self.assertGreater(peaks["porter"]["agent"]["largest"], 1)
        self.assertLessEqual({"client", "remote"}, set(peaks["rsync"]))

    def test_a_target_that_is_not_the_source_fails_the_run(self):
        honest = rivals.Rsync.options
        with mock.patch.object(rivals.Rsync, "options", lambda *words: honest(*words) + ["--no-times"]):
            code, found = self.bench("--rows", "nothing", "--with", "rsync,rsync strong")
        self.assertEqual(code, 1)
        self.assertEqual(found["rows"][0]["verdict"], "WRONG")
        self.assertIn("differences", found["faults"][0]["what"])

    def test_no_time_is_left(self):
        code, found = self.bench("--seconds", "1", "--with", "porter")
        self.assertEqual((code, found["faults"]), (0, []), self.said.getvalue())
        self.assertEqual(found["rows"][-1]["verdict"], "not measured")
        self.assertIn({"what": "memory/tiny", "why": "out of time"}, found["skipped"])

    def test_a_disk_of_its_own_comes_and_goes(self):
        (self.folder / "targets").mkdir()
        try:
            disk.unmount(disk.mount(self.folder / "targets", self.folder / "disk"))
        except (OSError, subprocess.CalledProcessError) as problem:
            porter.need(False, "no file system can be mounted here: %s" % problem)
        code, found = self.bench("--own-disk", "--rows", "nothing", "--with", "rsync")
        self.assertEqual((code, found["faults"]), (0, []), self.said.getvalue())
        self.assertIn("with a journal", found["facts"]["target file system"])
        self.assertEqual(os.listdir(self.folder / "targets"), [])
        self.assertNotIn(str(self.folder), pathlib.Path("/proc/mounts").read_text())

    def test_two_at_once_would_change_each_others_trees(self):
        with bench_main.lock(self.folder / "trees"), self.assertRaisesRegex(SystemExit, "another benchmark"):
            self.bench("--rows", "nothing", "--with", "rsync")

    def test_who_is_missing_is_said_and_counted(self):
        with mock.patch.object(rivals.shutil, "which", lambda _: None):
            code, found = self.bench("--rows", "three-true", "--with", "ansible command,ssh at once")
        self.assertEqual(code, 0)
        self.assertIn("ansible is not installed", json.dumps(found["skipped"]))
        self.assertIn("1 skipped", (self.folder / "out/full.md").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
