"""A git repository of thousands of real files with odd names, over a real sshd. What arrives is held against
`git archive` by `find` and `sha256sum`."""

import hashlib
import os
import shutil
import subprocess
import tarfile

import porter

WANTED = 5200
FOLDERS = ("/usr/bin", "/usr/include", "/usr/lib/python3", "/usr/share/perl", "/usr/share/doc", "/usr/share")
ODD = [b"with space/a b", b"new\nline", b"-leading-dash", b"--version", b"\xff\xfe\x80 bytes", b"tab\there",
       "ünï/cödé".encode(), b"quo'te\"s", b"$(touch CANARY)", b"back\\slash", b"*", b"~", b".hidden/.x",
       b"%(name)s"]


class Git(porter.Case):
    def git(self, *arguments):
        environment = dict(self.env, GIT_AUTHOR_NAME="T", GIT_AUTHOR_EMAIL="t@example.org", GIT_COMMITTER_NAME="T",
                           GIT_COMMITTER_EMAIL="t@example.org")
        return subprocess.run(["git", "-C", self.repository, *arguments], env=environment, check=True,
                              stdout=subprocess.PIPE).stdout

    def commit(self, message):
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").decode().strip()

    def fill(self):
        """Files of installed packages, executable ones and links among them."""
        count, links, executable = 0, 0, 0
        for source in self.package_files():
            target = os.path.join(self.repository, source[1:])
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
            count += 1
            links += os.path.islink(source)
            executable += os.access(source, os.X_OK) and not os.path.islink(source)
        porter.need(count >= 5000, "only %d files of packages on this machine" % count)
        self.assertGreater(links, 20)
        self.assertGreater(executable, 20)
        for name in ODD:
            path = os.path.join(os.fsencode(self.repository), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(b"odd " + name)
        os.symlink("nowhere at all", os.path.join(self.repository, "dangling"))

    def package_files(self):
        found = 0
        for number, folder in enumerate(FOLDERS, 1):
            for base, folders, files in os.walk(folder):
                folders.sort()
                if ".git" in base or "__pycache__" in base or found >= WANTED * number // len(FOLDERS):
                    continue
                for name in sorted(files)[:300]:
                    if not name.startswith(".git") and not self.unfit(os.path.join(base, name)):
                        found += 1
                        yield os.path.join(base, name)

    @staticmethod
    def unfit(path):
        status = os.lstat(path)
        return not (os.path.islink(path) or os.path.isfile(path)) or status.st_size > 200_000

    def setUp(self):
        super().setUp()
        porter.need(shutil.which("git"), "no git on this machine")
        self.repository = str(self.folder / "repository")
        os.mkdir(self.repository)
        self.git("init", "-q", "-b", "main")

    def expected(self, commit, times, ignored=(".gitignore", ".gitattributes", ".gitmodules")):
        """`git archive` of the commit, read without unpacking it, in the form of porter.tree()."""
        archive = subprocess.Popen(["git", "-C", self.repository, "-c", "tar.umask=0022", "archive", commit],
                                   stdout=subprocess.PIPE, env=self.env)
        found = {}
        with tarfile.open(fileobj=archive.stdout, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            for entry in tar:
                if os.path.basename(entry.name) in ignored:
                    continue
                kind, size, link, digest, mode = "d", "-", "", None, "%o" % (entry.mode & 0o7777)
                if entry.issym():
                    kind, mode, link = "l", "-", entry.linkname
                elif entry.isreg():
                    kind, size = "f", str(entry.size)
                    digest = hashlib.sha256(tar.extractfile(entry).read()).hexdigest().encode()
                fields = [kind, mode, size]
                if times:
                    fields.append("%d.0000000000" % entry.mtime if kind == "f" else "-")
                found[os.fsencode(entry.name)] = (" ".join(fields).encode(), os.fsencode(link), digest)
        archive.stdout.read()  # the padding behind the end, which git would get a SIGPIPE for
        archive.stdout.close()
        self.assertEqual(archive.wait(), 0)
        return found

    def assert_arrived(self, commit, times=True):
        """`times` for a first deploy: files that a later one keeps, keep their times, too."""
        expected = self.expected(commit, times)
        found = porter.tree(self.current(), times)
        self.assertEqual(sorted(set(expected) ^ set(found))[:10], [])
        different = [(path, expected[path], found[path]) for path in expected if expected[path] != found[path]]
        self.assertEqual(different[:5], [], "%d differ" % len(different))
        return len(found)

    def test_thousands_of_files_arrive_as_git_archive_has_them(self):
        server = self.sshd()
        relay = self.relay(server)
        self.ssh_config("there", server, relay.port)
        self.fill()
        for name in (".gitignore", ".gitattributes", "deep/.gitignore"):
            path = os.path.join(self.repository, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write("# nothing\n")
        first = self.commit("first")
        self.git("tag", "v1")
        self.project(hosts="here = there")
        self.take("branch = main")

        result = self.deploy_json()
        self.assertGreaterEqual(self.assert_arrived(first), 5000)
        (pinned,) = result.events("module_pinned")
        self.assertEqual(pinned["commit"], first)
        self.assertIn("main", pinned["version"])
        self.assertFalse(os.path.lexists("CANARY") or list(self.folder.rglob("CANARY")))
        self.assert_settled()

        # Nothing new: nothing is sent, nothing is touched.
        before = porter.everything(self.site())
        relay.reset()
        result = self.deploy_json()
        self.assertEqual(result.events("signal_fired"), [])
        self.assertEqual(porter.everything(self.site()), before)
        self.assertLess(relay.total, 64 * 1024, "one exchange, whatever the number of files")
        self.assertEqual(relay.connections, 1)

        # The branch moves on: only what changed travels.
        with open(os.path.join(self.repository, "usr/added file"), "w") as file:
            file.write("added\n")
        os.unlink(os.path.join(self.repository, "dangling"))
        second = self.commit("second")
        relay.reset()
        self.deploy()
        self.assert_arrived(second, times=False)
        self.assertLess(relay.total, 400 * 1024)

        # A tag says the same for ever, a commit id as well.
        self.take("tag = v1")
        result = self.deploy_json()
        self.assertIn("v1", result.events("module_pinned")[0]["version"])
        self.assert_arrived(first, times=False)
        self.assertEqual(self.deploy_json().events("signal_fired"), [])
        self.deploy("--force")
        self.assert_arrived(first, times=False)
        self.take("tag = " + second)
        self.deploy()
        self.assert_arrived(second, times=False)
        self.assert_settled()

    def take(self, ref):
        self.ini("keep_releases = 2\n[scm]\nurl = git+file://%s\n[release:stable]\n%s" % (self.repository, ref))

    def test_the_users_own_checkout_is_never_touched_and_uncommitted_work_stays_at_home(self):
        with open(self.repository + "/file", "w") as file:
            file.write("committed")
        self.commit("one")
        with open(self.repository + "/file", "w") as file:
            file.write("not committed")
        self.project()
        self.take("branch = main")
        before = porter.everything(self.repository)
        self.deploy()
        self.assertEqual((self.current() / "file").read_text(), "committed")
        self.assertEqual(porter.everything(self.repository), before)

    def test_an_unknown_ref_is_an_error_that_lists_what_there_is(self):
        with open(self.repository + "/file", "w") as file:
            file.write("x")
        self.commit("one")
        self.git("branch", "release/1.0")
        self.project()
        self.take("branch = release/1.1")
        result = self.deploy(code=None)
        self.assertNotEqual(result.code, porter.OK)
        self.assertIn("release/1.1", result.err)
        self.assertIn("release/1.0", result.err)
        self.assertEqual(os.listdir(self.target), [])


if __name__ == "__main__":
    porter.main()
