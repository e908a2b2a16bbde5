"""Disks that fill up or break while a release is made: never a wrong success, never half a release, the old one
stays, the space comes back, and the message says which file system it is and what to free.

Runs in a mount namespace of its own (so it needs root): small tmpfs and ext4 images are mounted below the test's
folder and vanish with it. Errors of single system calls are injected by strace into the agent alone, which a
throw-away SSH server starts behind it."""

import contextlib
import errno
import os
import re
import shutil
import stat
import subprocess

import ext4_disk
import io_checks
from io_checks import porter
from porter import NOTHING_ACTIVATED, OK, ROLLED_BACK, SOME_FAILED, UNREACHABLE

ROLLBACK_FAILED = 7
KIB, MIB = 1 << 10, 1 << 20
BLOCK = 4 * KIB
FILES, SIZE = 48, 8 * KIB
FEW = 12  # where every call is tried
MARGIN = MIB  # what the agent wants to be left over

LONG = io_checks.LONG
# Bytes or inodes between two points of a sweep.
BLOCK_STEP = BLOCK if LONG else 72 * KIB
SIZE_STEP = BLOCK if LONG else 160 * KIB
INODE_STEP = 1 if LONG else 9

# Every call that changes something on the target, and what a disk may answer.
CALLS = ("write", "pwrite64", "copy_file_range", "sendfile", "fsync", "fdatasync", "syncfs", "rename", "renameat",
         "renameat2", "openat", "openat2", "mkdir", "mkdirat", "symlinkat", "linkat", "unlinkat", "ftruncate", "fchmod",
         "fchmodat", "utimensat")
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
# In the quick form: how many injections into each call, spread over all that were counted.
INJECTIONS = 3
COUNTED_RUNS = 3


class Disk(porter.Case):
    """A module whose path lies on a file system of its own, and the trees that may be live there."""

    def setUp(self):
        super().setUp()
        porter.need(ext4_disk.has_own_mounts(), "no mounts of our own: not root, or no mount namespace")
        self.mount_point = self.folder / "disk"
        self.mount_point.mkdir()
        self.target = self.mount_point / "srv"
        self.mounted = False
        self.addCleanup(self.unmount)
        self.number = self.deploys = 0
        self.files = FILES
        self.before = {"none": None}
        self.outcomes = {}

    # --- file systems ---

    def mount(self, *words):
        done = subprocess.run(["mount", *words, str(self.mount_point)], stderr=subprocess.PIPE, check=False)
        porter.need(done.returncode == 0, "mount %s: %s" % (" ".join(words), done.stderr.decode().strip()))
        self.mounted = True
        os.makedirs(self.target, exist_ok=True)

    def mount_tmpfs(self, options):
        self.mount("-t", "tmpfs", "-o", options, "none")

    def remount(self, options):
        subprocess.run(["mount", "-o", "remount," + options, str(self.mount_point)], check=True)

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", str(self.mount_point)], check=True)
        self.mounted = False

    def free(self):
        info = os.statvfs(self.mount_point)
        return info.f_bfree * info.f_frsize, info.f_ffree

    def fill_up(self, left):
        """Takes all blocks but so many bytes."""
        with open(self.mount_point / "filler", "wb") as filler, self.agent_may_be_faster():
            take = self.free()[0] - left
            if take > 0:
                os.posix_fallocate(filler.fileno(), 0, take)

    def use_up_inodes(self, left):
        with self.agent_may_be_faster():
            (self.mount_point / "files").mkdir()
            for number in range(self.free()[1] - left):
                (self.mount_point / "files" / str(number)).touch()

    @staticmethod
    @contextlib.contextmanager
    def agent_may_be_faster():
        """What is taken here is counted before, and the agent may take some of it meanwhile."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def give_back(self):
        (self.mount_point / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.mount_point / "files", ignore_errors=True)

    # --- deploys ---

    def fresh_source(self):
        """New content everywhere; nothing can be taken from what is live."""
        self.number = (self.number + 1) % self.files
        for number in range(self.files):
            path = self.directory / "app/src" / ("folder%d" % (number % 5)) / ("file%d" % number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SIZE))
        link = self.directory / "app/src/link"
        link.unlink(missing_ok=True)
        link.symlink_to("folder0/file%d" % self.number)
        return io_checks.sums(self.directory / "app/src")

    def live(self, new):
        """"new", what was there before ("old" or "none"), or a failed test."""
        return io_checks.verdict(self.site(), {"new": new, **self.before})

    def check(self, result, new):
        """After a run over a disk with a fault: its code is the truth, and a full disk is told as one."""
        live = self.live(new)
        # 4: the switch is made, and the record of it could not be. 7: nor could it be taken back. 8: the agent could
        # not speak any more.
        self.assertIn(result.code, (OK, SOME_FAILED, NOTHING_ACTIVATED, ROLLED_BACK, ROLLBACK_FAILED, UNREACHABLE))
        if result.code in (OK, SOME_FAILED):
            self.assertEqual(live, "new", result)
        elif result.code != ROLLBACK_FAILED:
            self.assertNotEqual(live, "new", result)
        if "error[P441]" in result.err:
            self.assertIn("hint: the file system at %s " % self.mount_point, result.err, result)
        # Over SSH the agent may outlive porter-admin by a moment.
        porter.wait_until(lambda: not io_checks.lock_is_held(self.site()), 20, "the lock to be free")
        key = "exit %d: %s" % (result.code, live)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        if live == "new":
            self.before = {"old": new}
        return live

    def next_deploy_works(self, host="here"):
        self.write("project/app/src/again", "%d" % self.deploys)  # one that is unchanged would tidy nothing up
        self.deploys += 1
        new = io_checks.sums(self.directory / "app/src")
        self.run_admin("deploy", "--host", host, code=OK)
        self.assertEqual(self.live(new), "new")
        self.before = {"old": new}
        self.assert_settled()

    def tell(self, points, what):
        io_checks.say("%s: %d points: %s" % (what, points, ", ".join(
            "%s: %d" % each for each in sorted(self.outcomes.items()))))


class Sizes(Disk):
    """A tmpfs of a size from far too small to enough."""

    def test_a_first_deploy(self):
        self.project()
        new = self.fresh_source()
        points = 0
        for size in range(BLOCK * 2, FILES * SIZE + MARGIN + 64 * BLOCK, SIZE_STEP):
            self.before = {"none": None}
            self.mount_tmpfs("size=%d,mode=755" % size)
            result = self.deploy(code=None)
            self.check(result, new)
            self.unmount()
            points += 1
        self.tell(points, "size of the file system, first deploy, steps of %d KiB" % (SIZE_STEP // KIB))
        self.assertIn("exit 0: new", self.outcomes)
        self.assertIn("exit 5: none", self.outcomes)


class Fills(Disk):
    """The disk fills up when some files have come: the relay stands still meanwhile."""

    def setUp(self):
        super().setUp()
        self.server = self.sshd()
        self.relay_ = self.relay(self.server)
        self.ssh_config("there", self.server, self.relay_.port)
        self.project(hosts="here = there\nnear = local:", app="keep_releases = 2")

    def deploy_while(self, work, files=1):
        """Deploys; work() is done once the stage has so many files, and nothing moves meanwhile."""
        state = {"done": False}

        def on_bytes(sent, _):
            if not state["done"] and self.staged_files() >= files:
                state["done"] = True
                work()

        self.relay_.on_bytes = on_bytes
        try:
            result = self.deploy(code=None)
        finally:
            self.relay_.on_bytes = None
        self.assertTrue(state["done"], result)
        return result

    def staged_files(self):
        releases, manifests = self.site() / "releases", self.site() / ".porter/manifests"
        staged = set(os.listdir(releases)) - set(os.listdir(manifests)) if manifests.exists() else []
        return sum(len(files) for name in staged for _, _, files in os.walk(releases / name))

    def sweep(self, amounts, take, options):
        self.mount_tmpfs(options)
        self.fresh_source()
        self.next_deploy_works("near")
        self.fresh_source()
        self.next_deploy_works("near")
        self.fresh_source()
        self.deploy()  # the agent is there from now on
        self.before = {"old": io_checks.sums(self.directory / "app/src")}
        points = 0
        for left in amounts:
            before = self.free()
            new = self.fresh_source()
            result = self.deploy_while(lambda: take(left))
            with self.subTest(left=left):
                if self.check(result, new) == "old":
                    self.assertIn("error[P441]", result.err)
                    self.give_back()
                    now = self.free()
                    self.assertLess(before[0] - now[0], 4 * BLOCK, "bytes that did not come back")
                    self.assertLess(before[1] - now[1], 2, "inodes that did not come back")
            self.give_back()
            self.next_deploy_works("near")
            points += 1
        return points

    def test_no_blocks_left(self):
        whole = FILES * SIZE
        # Once more closely where the files fit, and the seal or the records do not.
        amounts = sorted({*range(0, whole, BLOCK_STEP), *range(whole, whole + 24 * BLOCK, BLOCK_STEP if LONG else 4 * BLOCK)})
        points = self.sweep(amounts, self.fill_up, "size=8m,mode=755")
        self.tell(points, "blocks left in the middle of the send, steps of %d KiB" % (BLOCK_STEP // KIB))
        self.assertIn("exit 5: old", self.outcomes)

    def test_no_inodes_left(self):
        points = self.sweep(range(0, FILES + 24, INODE_STEP), self.use_up_inodes, "size=8m,nr_inodes=600,mode=755")
        self.tell(points, "inodes left in the middle of the send, steps of %d" % INODE_STEP)
        self.assertIn("exit 5: old", self.outcomes)

    def test_too_little_of_either_is_refused_before_anything_is_staged(self):
        self.mount_tmpfs("size=8m,nr_inodes=600,mode=755")
        self.fresh_source()
        self.next_deploy_works("near")
        for take, text in ((self.fill_up, "KiB"), (self.use_up_inodes, "inodes")):
            take(FILES * SIZE if take == self.fill_up else FILES)
            before = self.contents()
            new = self.fresh_source()
            result = self.run_admin("deploy", "--host", "near", code=NOTHING_ACTIVATED)
            self.assertEqual(self.check(result, new), "old")
            self.assertIn("does not fit", result.err)
            self.assertIn("hint: the file system at %s " % self.mount_point, result.err)
            self.assertIn(text, result.err)
            self.assertEqual(self.contents(), before)
            self.give_back()
            self.next_deploy_works("near")

    def interrupt(self):
        """Leaves half of a send there, and its source."""
        self.mount_tmpfs("size=8m,mode=755")
        self.fresh_source()
        self.deploy()
        self.before = {"old": self.fresh_source()}
        self.deploy()
        self.fresh_source()
        result = self.deploy_while(self.kill_agent, FILES // 2)
        self.assertEqual(result.code, NOTHING_ACTIVATED, result)
        return FILES // 2 * SIZE

    def kill_agent(self):
        for pid, line in porter.processes_with(self.mark):
            if "porter-agent" in line:
                porter.kill(pid)

    def test_what_was_interrupted_goes_when_there_is_no_room_beside_it(self):
        self.interrupt()
        new = self.fresh_source()
        self.fill_up(FILES * SIZE + MARGIN - 2 * BLOCK)
        self.assertEqual(self.check(self.deploy("-d", "stats"), new), "new")
        self.give_back()
        self.next_deploy_works("near")

    def test_what_was_interrupted_fits_where_the_rest_does(self):
        left = self.interrupt()
        new = io_checks.sums(self.directory / "app/src")
        self.fill_up(FILES * SIZE - left + MARGIN + 16 * BLOCK)
        result = self.deploy("-d", "stats")
        self.assertEqual(self.check(result, new), "new")
        self.assertIn(" resumed", result.err)
        self.give_back()
        self.next_deploy_works("near")

    def test_what_was_interrupted_is_not_kept_on_a_full_disk(self):
        left = self.interrupt()
        self.fill_up(MARGIN // 2)
        live = os.path.basename(os.readlink(self.site() / "current"))
        self.run_admin("releases", "--host", "near", "--pin", live, code=OK)  # whoever locks the site next
        self.assertGreater(self.free()[0], MARGIN // 2 + left - 4 * BLOCK)
        self.assertFalse((self.site() / ".porter/interrupted").exists())
        self.give_back()
        self.next_deploy_works("near")

    def contents(self):
        return {path: entry for path, entry in porter.tree(self.site(), times=False).items()
                if path not in (b".porter/lock",)}


class Injections(Disk):
    """The n-th call of the agent fails, for every call and every n that is reached."""

    def setUp(self):
        super().setUp()
        porter.need(io_checks.strace(), "no strace on this machine")
        self.orders = self.folder / "orders"
        self.log = self.folder / "strace.log"
        wrapper = self.write("wrapper", '#!/bin/sh\n[ -s %s ] || exec sh -c "$SSH_ORIGINAL_COMMAND"\n'
                             'exec strace -f -qq -o %s $(cat %s) sh -c "$SSH_ORIGINAL_COMMAND"\n'
                             % (self.orders, self.log, self.orders), 0o755)
        self.server = self.sshd(extra=["ForceCommand %s" % wrapper])
        self.ssh_config("there", self.server)
        self.project(hosts="here = there\nnear = local:", app="keep_releases = 2")

    def traced(self, orders):
        self.orders.write_text(orders)
        try:
            return self.deploy(code=None)
        finally:
            self.orders.unlink()

    def count_calls(self):
        """How often each call is made by one thread, the busiest, as strace counts. Threads share the work anew each
        time, so the least of some runs is what another run can be expected to reach."""
        runs = [self.count_calls_of_one_run() for _ in range(COUNTED_RUNS)]
        return {call: min(run[call] for run in runs) for call in CALLS if all(call in run for run in runs)}

    def count_calls_of_one_run(self):
        new = self.fresh_source()
        self.traced("-e trace=%s" % ",".join("?" + each for each in CALLS))
        self.before = {"old": new}
        counts = {}
        for line in self.log.read_text().splitlines():
            found = re.match(r"(\d+) +(\w+)\(", line)
            if found:
                counts[found.groups()] = counts.get(found.groups(), 0) + 1
        return {call: max(number for (_, name), number in counts.items() if name == call)
                for call in CALLS if any(name == call for _, name in counts)}

    def was_hit(self):
        return "(INJECTED)" in self.log.read_text()

    def test_every_call_that_can_fail(self):
        self.files = FEW
        self.mount_tmpfs("size=16m,mode=755")
        for _ in range(3):  # then a deploy prunes, too
            new = self.fresh_source()
            self.deploy(code=OK)
            self.before = {"old": new}
        reached = self.count_calls()
        plan = [(call, number, error) for call, most in reached.items() for number in range(1, most + 1)
                for error in ERRORS]
        total = len(plan)
        if not LONG:
            some = [(call, number) for call, most in reached.items()
                    for number in sorted({1 + (most - 1) * i // (INJECTIONS - 1) for i in range(INJECTIONS)})]
            plan = [(call, number, ERRORS[i % len(ERRORS)]) for i, (call, number) in enumerate(some)]
        hits = 0
        for call, number, error in plan:
            new = self.fresh_source()
            result = self.traced("-e trace=%s -e inject=%s:error=%s:when=%d" % (call, call, error, number))
            hits += self.was_hit()
            with self.subTest(call=call, number=number, error=error):
                self.check(result, new)
                self.next_deploy_works("near")
        io_checks.say("calls of one deploy by the agent: %s" % ", ".join("%s %d" % each for each in reached.items()))
        io_checks.say("%d injections of %d planned (%s); %d hit; %s; wrong successes: 0" % (
            len(plan), total, ", ".join(ERRORS), hits,
            ", ".join("%s: %d" % each for each in sorted(self.outcomes.items()))))
        # The last calls that were counted may fall to another thread this time.
        self.assertGreaterEqual(hits, len(plan) * 3 // 4)


class TurnsReadOnly(Disk):
    """An ext4 file system finds an error, and the kernel makes it read-only from then on, at each signal."""

    SIGNALS = ("SIG_DEPLOY_START", "SIG_SOURCE_PRE_SEND", "SIG_SOURCE_POST_SEND", "SIG_PRE_ACTIVATE", "SIG_POST_ACTIVATE",
               "SIG_HEALTH_CHECK")

    def mount_image(self, image):
        self.mount("-o", "loop,errors=remount-ro", str(image))
        device = os.stat(self.mount_point).st_dev
        name = os.path.basename(os.readlink("/sys/dev/block/%d:%d" % (os.major(device), os.minor(device))))
        self.trigger = "/sys/fs/ext4/%s/trigger_fs_error" % name

    def test_at_each_signal(self):
        porter.need(shutil.which("mkfs.ext4"), "no mkfs.ext4 on this machine")
        image = self.folder / "image"
        with open(image, "wb") as file:
            file.truncate(32 * MIB)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        self.mount_image(image)
        porter.need(os.access(self.trigger, os.W_OK), "the kernel has no %s" % self.trigger)
        self.project()
        self.fresh_source()
        self.next_deploy_works()
        for signal in self.SIGNALS:
            with self.subTest(signal):
                self.write("project/app/deployment.cpp", """#include <porter/porter.h>
                    #include <fstream>
                    PORTER_DEPLOYMENT { module.push_signal_handler(porter::%s, [](porter::Module&) {
                      std::ofstream("%s") << "%s";
                    }); }""" % (signal, self.trigger, signal))
                new = self.fresh_source()
                result = self.deploy(code=None)
                self.assertNotEqual(result.code, OK, result)
                self.check(result, new)
                self.assertIn("Read-only file system", result.err)
                (self.directory / "app/deployment.cpp").unlink()
                self.unmount()
                subprocess.run(["e2fsck", "-p", str(image)], check=False, stdout=subprocess.DEVNULL)
                self.mount_image(image)
                self.next_deploy_works()
        self.tell(len(self.SIGNALS), "read-only at a signal")


if __name__ == "__main__":
    ext4_disk.in_own_namespace()
    io_checks.main()
