"""Host keys, logins, jumps, other users, and how the agent gets to a host; all over throw-away servers."""

import os
import shutil
import socket
import subprocess

import porter
from porter import OK, UNREACHABLE


class HostKeys(porter.Case):
    def setUp(self):
        super().setUp()
        self.server = self.sshd(known=False)
        self.ssh_config("there", self.server)
        self.project(hosts="here = there")
        self.known = self.home / ".ssh/known_hosts"

    def refused(self, *arguments, said=()):
        result = self.deploy(*arguments, code=UNREACHABLE)
        for each in said:
            self.assertIn(each, result.err)
        self.assertEqual(os.listdir(self.target), [])
        self.assertFalse((self.server.home / ".cache").exists(), "nothing may run there before the key is known")
        return result

    def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_way_to_trust_it(self):
        self.refused(said=[self.server.fingerprint(), "porter-admin hosts trust"])
        self.assertFalse(self.known.exists())

    def test_trust_writes_the_key_down_once(self):
        result = self.run_admin("hosts", "trust", "here", code=UNREACHABLE)  # nobody can be asked
        self.assertIn(self.server.fingerprint(), result.err)
        self.assertFalse(self.known.exists())
        result = self.run_admin("hosts", "trust", "here", "--yes", code=OK)
        self.assertIn(self.server.fingerprint(), result.out)
        self.assertEqual(self.known.read_text().split()[1:3], self.server.public_key().split())
        self.assertEqual(self.known.stat().st_mode & 0o777, 0o600)
        # OpenSSH agrees with what was written.
        found = subprocess.run(["ssh-keygen", "-F", "[127.0.0.1]:%d" % self.server.port, "-f", str(self.known)],
                               stdout=subprocess.PIPE, check=True).stdout
        self.assertIn(self.server.public_key().encode(), found)
        self.deploy()
        before = self.known.read_text()
        self.run_admin("hosts", "trust", "here", "--yes", code=OK)
        self.assertEqual(self.known.read_text(), before)

    def test_a_changed_key_is_refused_loudly_and_trust_does_not_help(self):
        self.trust(self.server.known_hosts_line())
        old = self.server.fingerprint()
        self.server.change_host_key()
        result = self.refused(said=[old, self.server.fingerprint(), "known_hosts:1"])
        self.assertRegex(result.err, "(?i)changed|different|another")
        before = self.known.read_text()
        self.run_admin("hosts", "trust", "here", "--yes", code=UNREACHABLE)
        self.assertEqual(self.known.read_text(), before)

    def test_a_revoked_key_is_refused_even_where_it_is_known_too(self):
        for lines in (("@revoked " + self.server.known_hosts_line(), self.server.known_hosts_line()),
                      (self.server.known_hosts_line(), "@revoked * %s\n" % self.server.public_key())):
            self.known.write_text("".join(lines))
            self.assertRegex(self.refused().err, "(?i)revoked")
            self.run_admin("hosts", "trust", "here", "--yes", code=UNREACHABLE)

    def test_hashed_names_and_another_file(self):
        self.trust(self.server.known_hosts_line())
        subprocess.run(["ssh-keygen", "-H", "-f", str(self.known)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        self.assertNotIn("127.0.0.1", self.known.read_text())
        self.deploy()
        shutil.rmtree(self.site())
        shutil.rmtree(self.server.home / ".cache")
        self.write("project/elsewhere", "")
        self.refused("--known-hosts", "elsewhere", said=["hosts trust"])
        self.run_admin("hosts", "trust", "here", "--yes", "--known-hosts", "elsewhere", code=OK)
        os.unlink(self.known)
        self.deploy("--known-hosts", "elsewhere")
        self.assertFalse(self.known.exists())


class Connections(porter.Case):
    def test_a_port_that_nobody_listens_to_is_unreachable(self):
        self.project(hosts="here = 127.0.0.1:%d" % porter.free_port())
        result = self.deploy(code=UNREACHABLE)
        self.assertIn("127.0.0.1", result.err)
        self.assertIn("refused", result.err.lower())

    def test_a_server_that_says_nothing_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.project(hosts="here = 127.0.0.1:%d" % silent.getsockname()[1])
            result = self.deploy(code=UNREACHABLE, timeout=100)
            self.assertLess(result.seconds, 60)

    def test_something_else_than_ssh_is_no_host(self):
        server = self.sshd()
        relay = self.relay(server)
        relay.on_bytes = lambda sent, received: relay.cut()
        self.ssh_config("there", server, relay.port)
        self.project(hosts="here = there")
        self.deploy(code=UNREACHABLE)

    def test_a_login_that_is_refused_says_what_was_tried(self):
        server = self.sshd()
        (server.folder / "authorized_keys").write_text("")
        self.ssh_config("there", server)
        self.project(hosts="here = there")
        result = self.deploy(code=UNREACHABLE)
        self.assertIn(str(server.identity), result.err)

    def test_one_of_two_hosts_unreachable_deploys_to_none(self):
        server = self.sshd()
        self.ssh_config("there", server)
        self.project(hosts="here = there\nlost = 127.0.0.1:%d" % porter.free_port())
        self.run_admin("deploy", "--host", "here,lost", code=UNREACHABLE)
        self.assertEqual(os.listdir(self.target), [])

    def test_a_key_of_an_agent_and_the_users_default_key_log_in(self):
        server = self.sshd()
        self.project(hosts="here = %s@127.0.0.1:%d" % (porter.user_name(), server.port))
        self.deploy(code=UNREACHABLE)
        porter.need(shutil.which("ssh-agent"), "no ssh-agent on this machine")
        socket_path = str(self.folder / "agent")
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket_path], env=self.env, stdout=subprocess.DEVNULL)
        try:
            porter.wait_until(lambda: os.path.exists(socket_path))
            subprocess.run(["ssh-add", "-q", str(server.identity)], env=dict(self.env, SSH_AUTH_SOCK=socket_path),
                           check=True)
            self.deploy(env={"SSH_AUTH_SOCK": socket_path})
        finally:
            agent.kill()
            agent.wait()
        shutil.copy(server.identity, self.home / ".ssh/id_ed25519")
        self.deploy()

    def test_a_jump_host_of_the_users_configuration(self):
        jump, server = self.sshd("jump"), self.sshd("sshd")
        through, direct = self.relay(jump), self.relay(server)
        self.ssh_config("between", jump, through.port)
        self.ssh_config("there", server, direct.port, "  ProxyJump between\n")
        self.project(hosts="here = there")
        self.deploy()
        self.assertEqual((self.current() / "file.txt").read_text(), "content of app\n")
        self.assertEqual(through.connections, 1)
        self.assertGreater(through.sent, 100_000, "the agent went through the jump host")
        self.assertTrue((server.home / ".cache/porter").is_dir())
        self.assertFalse((jump.home / ".cache").exists())
        self.write("project/app/src/file.txt", "2")
        self.deploy()

    def test_an_untrusted_jump_host_is_refused_by_its_own_name(self):
        jump, server = self.sshd("jump", known=False), self.sshd("sshd")
        self.ssh_config("between", jump)
        self.ssh_config("there", server, None, "  ProxyJump between\n")
        self.project(hosts="here = there")
        result = self.deploy(code=UNREACHABLE)
        self.assertIn(jump.fingerprint(), result.err)

    def test_a_jump_named_in_the_project(self):
        jump, server = self.sshd("jump"), self.sshd("sshd")
        through = self.relay(jump)
        self.ssh_config("between", jump, through.port)
        self.ssh_config("there", server)
        self.project(hosts="here = there", extra="[host:here]\njump = between\n")
        self.deploy()
        self.assertEqual(through.connections, 1)


class Agent(porter.Case):
    def setUp(self):
        super().setUp()
        self.server = self.sshd()
        self.relay_ = self.relay(self.server)
        self.ssh_config("there", self.server, self.relay_.port)
        self.project(hosts="here = there")
        self.cache = self.server.home / ".cache/porter"

    def agents(self):
        return sorted(os.listdir(self.cache)) if self.cache.exists() else []

    def test_it_is_pushed_once_and_then_found(self):
        self.deploy()
        (name,) = self.agents()
        self.assertRegex(name, r"^porter-agent-\w+-[0-9a-f]{32}$")
        self.assertEqual((self.cache / name).stat().st_mode & 0o077, 0)
        pushed = self.relay_.total
        before = porter.everything(self.cache)
        shutil.rmtree(self.site())
        self.relay_.reset()
        self.deploy()
        self.assertLess(self.relay_.total, 64 * 1024)
        self.assertGreater(pushed, self.relay_.total + 100 * 1024)
        self.assertEqual(porter.everything(self.cache), before)

    def test_no_more_round_trips_than_there_have_to_be(self):
        self.deploy()
        self.relay_.delay = 0.02
        for arguments in (["deploy"], ["status"], ["run", "--", "true"]):
            self.relay_.reset()
            self.run_admin(arguments[0], "--host", "here", *arguments[1:], code=OK)
            with self.subTest(arguments=arguments):
                # Key exchange 2, log-in 2, channel, the agent with the first answer; its window, the end.
                self.assertEqual(self.relay_.connections, 1)
                self.assertLessEqual(self.relay_.turns, 8)

    def test_stats_say_where_the_time_went(self):
        self.deploy()
        self.write("project/app/src/file.txt", "2")
        told = [line.split() for line in self.deploy("-d", "stats").err.splitlines() if "[stats]" in line]
        stages = [words[words.index("[stats]") + 1] for words in told]
        self.assertEqual(sorted(stages), sorted(["compose", "connect", "dial", "look", "lock", "stage", "seal",
                                                 "activate", "commit"]))
        self.assertNotIn("[stats]", self.deploy().err)

    def test_a_push_that_was_cut_off_is_never_executed(self):
        for moment in (60_000, 200_000, 600_000):
            relay = self.relay_
            relay.reset()
            relay.on_bytes = lambda sent, _: relay.cut() if sent > moment else None
            result = self.deploy(code=None)
            relay.on_bytes = None
            self.assertNotEqual(result.code, OK, result)
            porter.wait_until(lambda: not [each for each in porter.processes_with(self.mark) if "sh -c" in each[1]])
            self.assertEqual([name for name in self.agents() if name.startswith("porter-agent")], [])
            self.assertEqual(os.listdir(self.target), [])
        self.deploy()
        self.assertEqual(len(self.agents()), 1, "what the cut pushes left is gone")

    def test_a_damaged_agent_is_replaced(self):
        self.deploy()
        (name,) = self.agents()
        whole = (self.cache / name).read_bytes()
        for damaged in (b"", b"#!/bin/sh\nexit 0\n", whole[:len(whole) // 2]):
            # Not written into: the agent of the deploy before may not have ended yet.
            (self.cache / "damaged").write_bytes(damaged)
            (self.cache / "damaged").chmod(0o700)
            (self.cache / "damaged").rename(self.cache / name)
            self.write("project/app/src/file.txt", "%d" % len(damaged))
            result = self.deploy(code=None)
            with self.subTest(size=len(damaged)):
                self.assertEqual(result.code, OK, result)
                self.assertEqual((self.cache / name).read_bytes(), whole)

    def test_a_talkative_shell_does_no_harm(self):
        talkative = self.sshd("talkative", ["ForceCommand echo Hello; printf 'loud '; eval \"$SSH_ORIGINAL_COMMAND\""])
        self.ssh_config("loud", talkative)
        self.project(hosts="here = loud")
        self.deploy()
        self.assertEqual((self.current() / "file.txt").read_text(), "content of app\n")


class Become(porter.Case):
    def test_become_without_sudo_or_its_permission_explains_itself(self):
        server = self.sshd()
        self.ssh_config("there", server)
        self.project(hosts="here = there", extra="[host:here]\nbecome = nobody\n")
        os.chmod(self.folder, 0o755)
        os.chmod(self.target, 0o777)
        os.chmod(self.folder / "sshd", 0o755)
        works = shutil.which("sudo") and subprocess.run(
            ["sudo", "-n", "-u", "nobody", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        result = self.deploy(code=None)
        if works:
            self.assertEqual(result.code, OK, result)
            self.assertNotEqual((self.current() / "file.txt").stat().st_uid, 0)
        else:
            self.assertEqual(result.code, UNREACHABLE, result)
            self.assertIn("cannot become nobody", result.err)
            self.assertIn("sudo", result.err)
            self.assertEqual(os.listdir(self.target), [])


if __name__ == "__main__":
    porter.main()
