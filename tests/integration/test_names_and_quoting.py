"""Names from files and from the command line never become shell text: they are refused, or arrive whole. A
canary file would tell."""

import os
import pwd
import shutil
import subprocess

import porter
from porter import OK, USAGE


class Names(porter.Case):
    def setUp(self):
        super().setUp()
        # Unique, and no slash in it, so that it fits everywhere; whose shell ever runs it stands in one of few folders.
        self.canary = "CANARY-" + self.mark
        self.bait = "$(touch %s)" % self.canary
        self.addCleanup(self.look_for_canary)

    def look_for_canary(self):
        logins = {pwd.getpwuid(os.geteuid()).pw_dir, "/", "/tmp", os.getcwd()}
        found = [place for place in (os.path.join(each, self.canary) for each in logins) if os.path.exists(place)]
        for place in found:
            os.unlink(place)
        self.assertEqual(found, [])
        for base, folders, files in os.walk(self.folder):
            self.assertNotIn(self.canary, folders + files, base)

    def baits(self):
        touch = "touch %s" % self.canary
        return [self.bait, "a;%s" % touch, "`%s`" % touch, "a|%s" % touch, "a&%s&" % touch, "-oProxyCommand=%s" % touch,
                "--%s" % touch, "a' ;%s; '" % touch, 'a" ;%s; "' % touch, "a\\n%s" % touch, "a>%s" % self.canary]

    def refused(self, *arguments, code=USAGE):
        result = self.run_admin("deploy", *arguments, code=code)
        self.assertIn("error[P", result.err)
        self.assertNotIn("P100", result.err)
        self.assertEqual(os.listdir(self.target), [])
        return result

    # --- refused ---

    def test_hosts_users_and_jumps_in_the_project(self):
        for bait in self.baits():
            for hosts, extra in (("here = %s" % bait, ""), ("here = %s@127.0.0.1" % bait, ""),
                                 ("here = 127.0.0.1:%s" % bait, ""), ("%s = local:" % bait, ""),
                                 ("here = 127.0.0.1", "[host:here]\njump = %s\n" % bait),
                                 ("here = 127.0.0.1", "[host:here]\nuser = %s\n" % bait),
                                 ("here = 127.0.0.1", "[host:here]\nbecome = %s\n" % bait)):
                with self.subTest(hosts=hosts, extra=extra):
                    self.project(hosts=hosts, extra=extra)
                    self.refused("--host", "*")

    def test_hosts_users_and_jumps_in_the_users_ssh_configuration(self):
        for bait in self.baits():
            for line in ("HostName %s", "User %s", "ProxyJump %s", "ProxyJump x@%s", "Port %s"):
                with self.subTest(line % bait):
                    known = "" if line.startswith("HostName") else "  HostName 127.0.0.1\n"
                    (self.home / ".ssh/config").write_text("Host there\n%s  %s\n" % (known, line % bait))
                    self.project(hosts="here = there")
                    result = self.run_admin("deploy", "--host", "here")
                    # A quoted value may be read as the harmless word that is in the quotes: then nobody is there.
                    self.assertIn(result.code, (USAGE, porter.UNREACHABLE), result)
                    self.assertNotIn("P100", result.err)
                    self.assertEqual(os.listdir(self.target), [])

    def test_proxy_commands_are_not_run(self):
        (self.home / ".ssh/config").write_text(
            "Host there\n  HostName 127.0.0.1\n  Port %d\n"
            "  ProxyCommand %s\n  LocalCommand %s\n  PermitLocalCommand yes\n"
            "Match exec \"touch %s\"\n" % ((porter.free_port(),) + ("touch " + self.canary,) * 2 + (self.canary,)))
        self.project(hosts="here = there")
        self.run_admin("deploy", "--host", "here", code=porter.UNREACHABLE)

    def test_names_on_the_command_line(self):
        self.project()
        for bait in self.baits():
            for arguments in (["--host", bait], ["--host=" + bait], ["--config=" + bait, "--host", "here"],
                              ["--host", "here", "--force=" + bait], ["--host", "here", "--", bait]):
                with self.subTest(arguments):
                    self.refused(*arguments)

    def test_urls_and_refs(self):
        repository = self.folder / "repository"
        subprocess.run("git init -q -b main repository && cd repository && git -c user.name=T -c user.email=t@x "
                       "commit -q --allow-empty -m one", shell=True, cwd=self.folder, env=self.env, check=True)
        touch = "touch " + self.canary
        self.project()
        for url in ("ext::sh -c '%s'" % touch, "git://-oProxyCommand=%s/x" % touch, "ssh://-oProxyCommand=%s/x" % touch,
                    "-u%s@host:x" % touch, "git+file://%s --upload-pack=%s" % (repository, touch), "fd::17",
                    "git://host:;%s" % touch, "http://x/%s.git::" % self.bait, "--upload-pack=%s" % touch):
            with self.subTest(url):
                self.ini("[scm]\nurl = %s" % url)
                result = self.run_admin("deploy", "--host", "here", env={"GIT_TERMINAL_PROMPT": "0"})
                self.assertIn(result.code, (USAGE, porter.NOTHING_ACTIVATED, porter.UNREACHABLE), result)
                self.assertEqual(os.listdir(self.target), [])
        for bait in self.baits() + ["--upload-pack=" + touch, "HEAD --exec=" + touch, "main:../../x"]:
            for kind in ("branch", "tag"):
                with self.subTest(kind=kind, ref=bait):
                    self.ini("[scm]\nurl = git+file://%s\n[release:stable]\n%s = %s" % (repository, kind, bait))
                    self.refused("--host", "here")

    # --- passed whole ---

    ODD = "it's a \"path\" with %s; & | * ~ \\ -x"

    def test_paths_on_the_target_over_ssh(self):
        server = self.sshd()
        self.ssh_config("there", server)
        odd = self.ODD % self.bait
        for name in (odd, "-rf", "--help", "a b", "$HOME", "~", "*"):
            with self.subTest(name):
                agents = self.folder / "agents" / name
                self.project(hosts="here = there", extra="[host:here]\nagent_path = %s\n" % agents)
                self.write("project/app/app.ini", "[module]\npath = %s/%s/app\n[shared]\npaths = %s\n" % (
                    self.target, name, name))
                self.write("project/app/src/%s" % odd, "odd\n")
                self.deploy()
                self.assertEqual((self.target / name / "app/current" / odd).read_text(), "odd\n")
                self.assertEqual(len(os.listdir(agents)), 1)
        self.assertEqual(os.listdir(server.home), [], "nothing was put where nobody asked for it")

    def test_run_passes_arguments_whole_over_ssh(self):
        server = self.sshd()
        self.ssh_config("there", server)
        self.project(hosts="here = there")
        given = [self.ODD % self.bait, "", "-n", "$HOME", "two\nlines", "*", "'", '"', "\\"]
        result = self.run_admin("run", "--host", "here", "--", "printf", "<%s>", *given, code=OK)
        self.assertIn("".join("<%s>" % each for each in given), result.out.replace("\nhere: ", "\n"))

    def test_names_of_modules_projects_configs_messages_and_keys(self):
        server = self.sshd()
        odd = self.ODD.replace("%s", self.bait)
        identity = self.folder / odd
        shutil.copy(server.identity, identity)
        identity.chmod(0o600)
        self.ssh_config("there", server)
        self.write("project/project.ini", "[project]\nname = %s\ndepends = app\n[hosts]\nhere = 127.0.0.1:%d\n"
                   "[host:here]\nidentity = %s\n[modules]\napp = %s\n" % (
                       odd.replace("%", "%%"), server.port, identity, odd))
        self.directory = self.folder / "project"
        self.write("project/%s/%s.ini" % (odd, odd), "[module]\npath = %s\n[config_files]\ngot it = %s\n" % (
            self.site(), odd))
        self.write("project/%s/src/file" % odd, "x")
        self.write("project/%s/config/here/%s" % (odd, odd), "config file\n")
        self.run_admin("deploy", "--config", "here", "-m", odd, code=OK)
        self.assertEqual((self.current() / "got it").read_text(), "config file\n")

    def test_a_folder_as_source_with_an_odd_name(self):
        odd = "it's;$(touch${IFS}%s)&|*" % self.canary  # a url holds no blanks
        self.write("%s/file" % odd, "x")
        self.project()
        self.ini("[scm]\nurl = file://%s/%s" % (self.folder, odd))
        self.deploy()
        self.assertEqual(os.listdir(self.current()), ["file"])

    # --- shown safely ---

    def test_what_a_terminal_would_obey_is_shown_escaped(self):
        self.project()
        name = b"\x1b]0;title\x07\x1b[2Jred\nline\xff"
        with open(os.path.join(os.fsencode(self.directory / "app/src"), name), "w") as file:
            file.write("x")
        for result in (self.deploy("--dry-run", "-v"), self.deploy_json("--dry-run"), self.deploy("-v")):
            self.assertNotIn("\x1b", result.out + result.err)
        self.assertIn(name, os.listdir(os.fsencode(str(self.current()))))
        self.write("project/app/deployment.cpp", "#include <porter/porter.h>\nPORTER_DEPLOYMENT {"
                   "module.push_signal_handler(porter::SIG_SOURCE_SEND, [](porter::Module& m) {"
                   "porter::log(m, \"\\x1b[2Jhello\"); throw std::runtime_error(\"\\x1b[2Jbad\"); }); }\n")
        result = self.deploy(code=porter.NOTHING_ACTIVATED)
        self.assertNotIn("\x1b", result.err)
        self.assertIn("hello", result.err)


if __name__ == "__main__":
    porter.main()
