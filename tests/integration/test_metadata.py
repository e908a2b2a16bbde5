"""What files are beside their content: kinds that cannot be deployed, owners, attributes."""

import os
import pathlib
import shutil
import socket
import stat
import struct
import unittest

import porter
from porter import NOTHING_ACTIVATED, OK, USAGE

NOBODY = 65534
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service, effective
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def access_list(user, bits):
    """An access control list that names a user; group and others may read."""
    entries = [(1, 7, 0xFFFFFFFF), (2, bits, user), (4, 4, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF), (0x20, 4, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def takes_attributes(folder):
    try:
        os.setxattr(folder, "user.try", b"")
        os.removexattr(folder, "user.try")
        return True
    except OSError:
        return False


def deployed_live(case, layout, option):
    """Deploys to a site of that layout, and gives where its tree is."""
    site = case.folder / "target" / layout
    case.write("project/app/app.ini", "[module]\npath = %s\n%s\nkeep_releases = 1\nlayout = %s\n" % (
        site, option, layout))
    case.deploy()
    return site / "current" if layout == "releases" else site


def refused_to_nobody(case):
    """What a deploy by nobody says, which has to be refused. The programs are copied to where nobody may go: the build
    folder may be below /root."""
    built, programs = pathlib.Path(porter.ADMIN).parents[1], case.folder / "programs"
    for needed in ("include", "lib/porter/agents"):
        shutil.copytree(built / needed, programs / needed)
    (programs / "bin").mkdir()
    program = shutil.copy(porter.ADMIN, programs / "bin")
    for path in (case.folder, case.home, case.home / ".ssh", case.target):
        os.chmod(path, 0o755)
        os.chown(path, NOBODY, NOBODY)
    process = case.start("deploy", "--host", "here", program=program, user=NOBODY, group=NOBODY, extra_groups=[])
    err = process.communicate(timeout=120)[1].decode()
    case.assertEqual(process.returncode, NOTHING_ACTIVATED, err)
    return err


class SpecialFiles(porter.Case):
    def setUp(self):
        super().setUp()
        self.project()
        self.source = self.directory / "app/src"
        os.mkfifo(self.source / "a\tpipe")
        (self.source / "run").mkdir()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self.source / "run/app.sock"))

    def test_pipes_and_sockets_are_refused_by_name_before_anything_is_contacted(self):
        result = self.deploy(code=USAGE)
        self.assertIn("error[P440]", result.err)
        self.assertIn(r"a\x09pipe (pipe), run/app.sock (socket)", result.err)
        self.assertIn("special = skip", result.err)
        self.assertEqual(os.listdir(self.target), [])

    def test_excluded_ones_do_not_count_and_a_build_does_not_mind_them(self):
        self.ini("exclude = *pipe, *.sock\nbuild = touch built")
        self.deploy(code=OK)
        self.assertEqual(sorted(porter.tree(self.current(), times=False)), [b"built", b"file.txt", b"run"])

    def test_all_may_be_left_out_and_one_that_comes_is_no_change(self):
        self.ini("special = skip\nbuild = touch built")
        self.deploy(code=OK)
        self.assertEqual(sorted(porter.tree(self.current(), times=False)), [b"built", b"file.txt", b"run"])
        os.mkfifo(self.source / "run/another")
        self.assertIn("unchanged", self.deploy().err)


@unittest.skipIf(os.geteuid(), "only root may give files away")
class Owners(porter.Case):
    def setUp(self):
        super().setUp()
        self.server = None
        self.project(hosts="here = local:\nthere = there")
        self.source = self.directory / "app/src"
        (self.source / "d").mkdir()
        self.write("project/app/src/d/tool", "#!/bin/sh\n", 0o755)
        os.symlink("tool", self.source / "d/link")
        for path, ids in ((".", (1001, 1002)), ("d", (0, 1002)), ("d/tool", (1001, 0)), ("d/link", (NOBODY, 54321))):
            os.chown(self.source / path, *ids, follow_symlinks=False)

    def owners(self, folder):
        found = {}
        for path in (".", "d", "d/tool", "d/link", "file.txt"):
            info = os.lstat("%s/%s" % (folder, path))
            found[path] = (info.st_uid, info.st_gid)
        return found

    def far(self):
        self.server = self.sshd()
        self.ssh_config("there", self.server)

    def test_owners_are_those_of_the_source_when_asked(self):
        self.far()
        for host in ("here", "there"):
            for value in ("names", "numbers"):
                with self.subTest(host=host, owners=value):
                    self.ini("owners = %s\n" % value)
                    self.run_admin("deploy", "--host", host, code=OK)
                    self.assertEqual(self.owners(self.current()), self.owners(self.source))
                    self.assertIn("unchanged", self.run_admin("deploy", "--host", host, code=OK).err)
        self.ini("owners = no")
        self.deploy()
        self.assertEqual(set(self.owners(self.current()).values()), {(0, 0)})

    def test_another_owner_alone_is_a_change_and_drift_is_put_right(self):
        for layout in ("releases", "inplace"):
            with self.subTest(layout=layout):
                live = deployed_live(self, layout, "owners = names")
                for _ in range(3):
                    for path in ("d", "d/tool", "d/link"):
                        info = os.lstat(self.source / path)
                        os.chown(self.source / path, info.st_uid + 1, 1003, follow_symlinks=False)
                        result = self.deploy()
                        self.assertNotIn("unchanged", result.err)
                        found, wanted = self.owners(live), self.owners(self.source)
                        if layout == "inplace":  # the site itself is the user's
                            del found["."], wanted["."]
                        self.assertEqual(found, wanted)
                        self.assertIn("unchanged", self.deploy().err)
                os.chown(live / "d/tool", 7, 7)
                result = self.run_admin("diff", "--host", "here")
                self.assertIn("owner 7:7, was ", result.out)
                self.deploy("--overwrite-drift")
                self.assertEqual(os.stat(live / "d/tool").st_uid, os.stat(self.source / "d/tool").st_uid)

    def test_what_is_put_on_top_of_the_source_belongs_to_whom_its_folder_belongs(self):
        self.write("project/app/config/one/conf", "config\n")
        self.ini("owners = numbers\n[config_files]\nd/conf = conf\nnew/conf = conf\n[shared]\npaths = d/data/")
        self.deploy("--config", "one")
        for path, ids in (("d/conf", (0, 1002)), ("new", (1001, 1002)), ("new/conf", (1001, 1002)),
                          ("d/data", (0, 1002))):
            info = os.lstat(self.current() / path)
            self.assertEqual((info.st_uid, info.st_gid), ids, path)

    def test_a_build_keeps_them(self):
        self.ini("owners = numbers\nbuild = touch d/built")
        self.deploy()
        self.assertEqual(self.owners(self.current()), self.owners(self.source))
        self.assertEqual(os.stat(self.current() / "d/built").st_uid, 0)

    def test_who_may_not_give_files_away_is_told_before_anything_changes(self):
        self.ini("owners = names")
        err = refused_to_nobody(self)
        self.assertIn("cannot be given to 1001:1002: we are user 65534", err)
        self.assertIn("become = root", err)
        self.assertFalse(os.path.lexists(self.current()), err)
        self.assertEqual(os.listdir(self.site() / "releases"), [])


class Attributes(porter.Case):
    def setUp(self):
        super().setUp()
        porter.need(takes_attributes(self.folder), "the file system keeps no attributes")
        self.project(hosts="here = local:\nthere = there")
        self.source = self.directory / "app/src"
        (self.source / "d").mkdir()
        self.write("project/app/src/d/tool", "#!/bin/sh\n", 0o755)
        self.set("file.txt", "user.origin", b"by hand\0\xff")
        self.set("file.txt", "user.empty", b"")
        self.set("file.txt", ACCESS, access_list(12345, 6))
        self.set("d", "user.folder", b"1")
        self.set("d", DEFAULT, access_list(12345, 4))
        if os.geteuid() == 0:
            self.set("d/tool", "security.capability", CAPABILITY)
            self.set("d/tool", "trusted.other", b"not kept")
        self.read_only = self.write("project/app/src/d/read only", "x")  # gets an access control list by its folder
        os.setxattr(self.read_only, "user.more", b"2")
        self.read_only.chmod(0o400)

    def set(self, path, name, value):
        os.setxattr(self.source / path, name, value)

    def found(self, folder):
        found = {}
        for path in ("", "d", "d/tool", "d/read only", "file.txt"):
            at = "%s/%s" % (folder, path)
            names = [name for name in sorted(os.listxattr(at)) if not name.startswith("trusted.")]
            found[path] = (stat.S_IMODE(os.stat(at).st_mode), [(name, os.getxattr(at, name)) for name in names])
        return found

    def test_attributes_are_those_of_the_source_when_asked(self):
        server = self.sshd()
        self.ssh_config("there", server)
        wanted = self.found(self.source)
        self.assertGreaterEqual(sum(len(names) for _, names in wanted.values()), 8)
        for host in ("here", "there"):
            self.ini("xattrs = yes")
            self.run_admin("deploy", "--host", host, code=OK)
            self.assertEqual(self.found(self.current()), wanted)
            self.assertIn("unchanged", self.run_admin("deploy", "--host", host, code=OK).err)
            self.ini("xattrs = no")
            self.run_admin("deploy", "--host", host, code=OK)
            self.assertEqual(sum(len(names) for _, names in self.found(self.current()).values()), 0)

    def test_a_change_of_attributes_alone_is_a_change_and_a_rollback_brings_the_old_ones(self):
        for layout in ("releases", "inplace"):
            with self.subTest(layout=layout):
                live = deployed_live(self, layout, "xattrs = yes")
                for number in range(3):
                    self.set("file.txt", "user.origin", b"number %d" % number)
                    self.set("d", DEFAULT, access_list(1000 + number, 4))
                    os.setxattr(self.source / "d/tool", "user.%d" % number, b"")
                    if number:
                        os.removexattr(self.source / "d/tool", "user.%d" % (number - 1))
                    before = self.found(live)
                    self.assertNotIn("unchanged", self.deploy().err)
                    self.assertEqual(self.found(live), self.found(self.source))
                    self.assertIn("unchanged", self.deploy().err)
                self.run_admin("rollback", "--host", "here", code=OK)
                self.assertEqual(self.found(live), before)
                os.setxattr(live / "d", "user.foreign", b"")
                result = self.run_admin("diff", "--host", "here")
                self.assertIn("attributes", result.out)
                self.deploy("--force", "--overwrite-drift")
                self.assertEqual(self.found(live), self.found(self.source))

    def test_a_build_keeps_them(self):
        self.ini("xattrs = yes\nbuild = touch built")
        self.deploy()
        self.assertEqual(self.found(self.current()), self.found(self.source))
        self.assertTrue((self.current() / "built").exists())

    def test_what_may_not_be_set_is_told_before_anything_is_activated(self):
        porter.need(os.geteuid() == 0, "only root can give a file capabilities")
        self.ini("xattrs = yes")
        self.read_only.unlink()
        err = refused_to_nobody(self)
        self.assertIn("d/tool: attribute security.capability: Operation not permitted", err)
        self.assertIn("become = root", err)
        self.assertFalse(os.path.lexists(self.current()), err)


if __name__ == "__main__":
    porter.main()
