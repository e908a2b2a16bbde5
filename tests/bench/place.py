"""Where a benchmark happens: a throw-away sshd, links to it of several kinds, a home folder for each contestant, and
folders for targets. Everything goes when it is closed."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import disk
from shared import porter


class Link:
    """A way to targets. Links with the same `group` lead to the same ones; each target is a host's name for ssh and
    porter-admin, and a folder's."""

    def __init__(self, name, words, round_trip_ms=0, bits=0, fleet=0):
        self.name, self.words, self.round_trip_ms, self.bits, self.fleet = name, words, round_trip_ms, bits, fleet
        self.group = name if fleet else "one"
        self.targets = [(host, host) for host in FLEET[:fleet]] or [(name, "one")]

    @property
    def hosts(self):
        return [host for host, _ in self.targets]


FLEET = ["h%03d" % number for number in range(1, 201)]
LINKS = {link.name: link for link in (
    Link("near", "loopback"),
    Link("far", "100 ms round trip", 100),
    Link("thin", "20 ms round trip, 100 Mbit/s", 20, 100_000_000),
    Link("three", "3 hosts at once, loopback", fleet=3),
    Link("ten", "10 hosts at once, loopback", fleet=10),
    Link("fifty", "50 hosts at once, loopback", fleet=50),
    Link("all", "200 hosts at once, loopback", fleet=200))}


class Place:
    """`target_folder`: where targets lie; or, with `own_disk`, where the image of a file system of their own lies."""

    def __init__(self, target_folder, own_disk, proxy):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-bench-"))
        self.mark = self.folder.name
        self._proxy_program, self._helpers, self._ports = proxy, [], {}
        self.server = self._disk = self.targets = None
        try:
            self._make_room(pathlib.Path(target_folder).resolve(), own_disk)
            self._start()
        except BaseException:
            self.close()
            raise

    def _make_room(self, folder, own_disk):
        folder.mkdir(parents=True, exist_ok=True)
        if own_disk:
            self._disk = disk.mount(folder, self.folder / "disk")
        self.targets = (self._disk or folder) / ("targets" if own_disk else self.mark)
        self._homes = (self._disk or self.folder) / "homes"
        self.targets.mkdir()

    def _start(self):
        if not porter.sshd_program():
            raise RuntimeError("no sshd on this machine")
        self.server = porter.Sshd(self.folder / "sshd", self.mark, ["Subsystem sftp internal-sftp"])
        self._ports["near"] = self.server.port
        for link in LINKS.values():
            if link.round_trip_ms:
                self._ports[link.name] = self._proxy(link)
        self.config = self.folder / "ssh_config"
        self.config.write_text("".join(self._host(name, [name]) for name in self._ports) + self._host("near", FLEET))
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
        """The words of an ssh that knows the links."""
        return ["ssh", "-F", str(self.config), *options]

    def home(self, name):
        """A home folder in which porter-admin finds the links."""
        home = self._homes / name
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        shutil.copy(self.config, home / ".ssh" / "config")
        return home

    def master(self, host, *options):
        """The path of a warm connection's socket; further calls give the same one."""
        socket = self.folder / ("master-" + host)
        if not socket.exists():
            process = subprocess.Popen(self.ssh("-N", "-M", "-S", str(socket), *options, host), stdin=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, env=self.environment())
            self._helpers.append(process)
            porter.wait_until(socket.exists, 20, "a warm connection")
        return socket

    def logins(self):
        """How many have logged in so far, as the server says."""
        return (self.server.folder / "log").read_bytes().count(b"Accepted publickey")

    def file_system(self):
        """In words, for the page."""
        kind = subprocess.run(["stat", "-f", "-c", "%T", str(self.targets)], stdout=subprocess.PIPE,
                              check=True).stdout.decode().strip()
        return "ext4 of its own, with a journal and without discard, in an image" if self._disk else kind

    def names_of_folders(self):
        """What stands for this machine's folders in what is told."""
        return {str(self.targets): "TARGETS", str(self._homes): "HOMES", str(self.folder): "FOLDER"}

    def close(self):
        for process in self._helpers:
            for end in filter(None, (process.stdin, process.stdout)):
                end.close()
            porter.kill(process.pid)
            process.wait()
        if self.server:
            self.server.stop()
        for pid, _ in porter.processes_with(self.mark):  # connections that a contestant keeps for later
            porter.kill(pid)
        if self._disk:
            disk.unmount(self._disk)
        elif self.targets:
            remove(self.targets)
        remove(self.folder)


def remove(folder):
    subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
