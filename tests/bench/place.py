"""Where a benchmark happens: a throw-away sshd, its links (near, far, thin), a home folder for each contestant, and
folders for targets. Everything goes when it is closed."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
import porter  # noqa: E402  (the acceptance tests' throw-away sshd)

HOSTS = 200


class Link:
    """A way to the one sshd: its name is the host's name for ssh and porter-admin."""

    def __init__(self, name, words, round_trip_ms=0, bits=0):
        self.name, self.words, self.round_trip_ms, self.bits = name, words, round_trip_ms, bits


LINKS = {link.name: link for link in (
    Link("near", "loopback"),
    Link("far", "100 ms round trip", 100),
    Link("thin", "20 ms round trip, 100 Mbit/s", 20, 100_000_000))}
FLEET = ["h%03d" % number for number in range(1, HOSTS + 1)]


class Place:
    def __init__(self, target_folder, proxy):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-bench-"))
        self.mark = self.folder.name
        self.targets = pathlib.Path(target_folder).resolve() / self.mark
        self.targets.mkdir(parents=True)
        self._proxy_program, self._helpers, self._ports = proxy, [], {}
        self.server = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        if not porter.sshd_program():
            raise RuntimeError("no sshd on this machine")
        self.server = porter.Sshd(self.folder / "sshd", self.mark, ["Subsystem sftp internal-sftp"])
        self._ports["near"] = self.server.port
        for link in LINKS.values():
            if link.round_trip_ms:
                self._ports[link.name] = self._proxy(link)
        self.config = self.folder / "ssh_config"
        self.config.write_text("".join(self._host(name, [name]) for name in LINKS) + self._host("near", FLEET))
        (self.folder / "known_hosts").write_text(
            "".join(self.server.known_hosts_line(port) for port in self._ports.values()))

    def _host(self, link, names):
        return ("Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  UserKnownHostsFile %s\n" % (
            " ".join(names), self._ports[link], porter.user_name(), self.server.identity, self.folder / "known_hosts"))

    def _proxy(self, link):
        """The proxy prints its port, and ends when its standard input does."""
        words = [self._proxy_program, "--to", str(self.server.port), "--delay-us", str(link.round_trip_ms * 500)]
        if link.bits:
            words += ["--bits-per-second", str(link.bits)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment())
        self._helpers.append(process)
        return int(process.stdout.readline())

    def environment(self, home=None):
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home or self.folder), porter.MARK: self.mark,
                "PORTER_SITE_CONFIG": str(self.folder / "no-site.ini"), "TMPDIR": str(self.folder)}

    def ssh(self, *options):
        """The words of an ssh that knows the links; StrictHostKeyChecking stays as it is."""
        return ["ssh", "-F", str(self.config), *options]

    def home(self, name):
        """A home folder in which porter-admin finds the links."""
        home = self.folder / "homes" / name
        if not home.exists():
            (home / ".ssh").mkdir(parents=True, mode=0o700)
            shutil.copy(self.config, home / ".ssh" / "config")
        return home

    def master(self, link, *options):
        """The path of a warm connection's socket; further calls give the same one."""
        socket = self.folder / ("master-" + link)
        if not socket.exists():
            process = subprocess.Popen(self.ssh("-N", "-M", "-S", str(socket), *options, link), stdin=subprocess.PIPE,
                                       env=self.environment())
            self._helpers.append(process)
            porter.wait_until(socket.exists, 20, "a warm connection")
        return socket

    def close(self):
        for process in self._helpers:
            process.stdin.close()
            porter.kill(process.pid)
            process.wait()
        if self.server:
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.targets, ignore_errors=True)
