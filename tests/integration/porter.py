"""What the acceptance tests share: a fresh HOME, project files, the built porter-admin, a throw-away sshd on
127.0.0.1, a relay that counts and cuts, and a look at what is left on the target.

Only Python's standard library. The build's paths come from the environment (CTest sets them); without it the
release build of this checkout is used.
"""

import collections
import hashlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PORTER_BUILD_FOLDER", SOURCE / "build" / "release"))
ADMIN = os.environ.get("PORTER_ADMIN", str(BUILD / "bin" / "porter-admin"))
CMAKE = os.environ.get("PORTER_CMAKE", "cmake")
SANITIZED = bool(os.environ.get("PORTER_SANITIZE"))
MARK = "PORTER_TEST_RUN"

OK, INTERNAL, USAGE, SOME_FAILED, NOTHING_ACTIVATED, ROLLED_BACK, ROLLBACK_FAILED = 0, 1, 2, 4, 5, 6, 7
UNREACHABLE, LOCKED, PLUGIN_REFUSED, REFUSED, INTERRUPTED = 8, 9, 10, 11, 130


class Result:
    """What a program said and how it ended."""

    def __init__(self, arguments, code, out, err, seconds):
        self.arguments, self.code, self.seconds = arguments, code, seconds
        self.out = out.decode("utf-8", "surrogateescape")
        self.err = err.decode("utf-8", "surrogateescape")

    def events(self, kind=None):
        """The JSONL of a --json run; every line has to parse."""
        found = [json.loads(line) for line in self.out.splitlines()]
        return [each for each in found if kind in (None, each["event"])]

    def __str__(self):
        return "%s\nexit %s after %.1f s\n--- stdout\n%s\n--- stderr\n%s" % (
            self.arguments, self.code, self.seconds, self.out[-6000:], self.err[-6000:])


def processes_with(mark):
    """Processes of this mark, from their environment: what a test started, however far removed."""
    needle = ("%s=%s" % (MARK, mark)).encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/environ" % entry, "rb") as environ:
                if needle not in environ.read().split(b"\0"):
                    continue
            with open("/proc/%s/cmdline" % entry, "rb") as command:
                words = command.read().replace(b"\0", b" ").decode("utf-8", "replace")
            with open("/proc/%s/stat" % entry) as status:
                state = status.read().rpartition(")")[2].split()[0]
            if state != "Z":
                found.append((int(entry), words.strip()))
        except OSError:
            continue  # it ended meanwhile, or is not ours to read
    return found


def wait_until(condition, seconds=20, what="the condition"):
    """Polls; a test never sleeps for a guessed time."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("waited %s s for %s" % (seconds, what))
        time.sleep(0.005)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def tree(folder, times=True):
    """Every entry below a folder by `find` and `sha256sum`, as a dict of path (bytes) → description."""
    folder = os.fsencode(folder) + b"/"  # what a link points to, not the link
    form = b"%y %m %s " + (b"%T@ " if times else b"") + b"%P\\0%l\\0"
    listing = subprocess.run([b"find", folder, b"-mindepth", b"1", b"-printf", form], check=True,
                             stdout=subprocess.PIPE).stdout.split(b"\0")
    sums = file_sums(folder)
    found = {}
    if len(listing) < 2:
        raise AssertionError("nothing in %r" % folder)  # equal to any other empty folder
    for line, link in zip(listing[0::2], listing[1::2]):
        fields = line.split(b" ", 4 if times else 3)
        path = fields[-1]
        kind = fields[0]
        fields = fields[:-1]
        if kind != b"f":
            fields[2] = b"-"  # folders and links: a size of the file system's own
        if kind == b"l":
            fields[1] = b"-"
        if times and kind != b"f":
            fields[3] = b"-"
        found[path] = (b" ".join(fields), link, sums.get(path))
    return found


def file_sums(folder):
    folder = os.fsencode(folder) + b"/"
    output = subprocess.run(b"find . -type f -print0 | xargs -0 -r sha256sum -z --", shell=True, cwd=folder, check=True,
                            stdout=subprocess.PIPE).stdout
    return {line[66:][2:]: line[:64] for line in output.split(b"\0") if line}


def everything(folder):
    """A folder to its last detail, change times included: equal twice means nothing was touched."""
    form = "%y %m %U %G %s %T@ %C@ %i %P %l\\0"
    return sorted(subprocess.run(["find", str(folder), "-printf", form], check=True,
                                 stdout=subprocess.PIPE).stdout.split(b"\0"))


class Relay:
    """A TCP relay to a port on 127.0.0.1, each way `delay` seconds long: counts bytes per direction, and turns: how
    often the client spoke after it had heard something; calls `on_bytes(sent, received)` while they pass; can be
    cut."""

    def __init__(self, port):
        self.target = port
        self.sent = self.received = self.connections = self.turns = 0  # sent: from the client to the target
        self.on_bytes = None
        self.delay = 0
        self._open = []
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def total(self):
        return self.sent + self.received

    def reset(self):
        with self._lock:
            self.sent = self.received = self.connections = self.turns = 0

    def cut(self):
        with self._lock:
            pairs, self._open = self._open, []
        for pair in pairs:
            for each in pair:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        try:
            self._server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._server.close()
        self.cut()
        self._thread.join(5)

    def _serve(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.append((client, server))
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client, server):
        peer = {client: server, server: client}
        open_ends = [client, server]
        heard = False
        under_way = collections.deque()  # (when it arrives, from where, what)
        try:
            while open_ends or under_way:
                patience = max(0, under_way[0][0] - time.monotonic()) if under_way else None
                for ready in select.select(open_ends, [], [], patience)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        open_ends.remove(ready)
                    if data and ready is client:
                        with self._lock:
                            self.turns += heard
                        heard = False
                    under_way.append((time.monotonic() + self.delay, ready, data))
                while under_way and under_way[0][0] <= time.monotonic():
                    _, source, data = under_way.popleft()
                    self._arrive(source is client, peer[source], data)
                    heard = heard or source is server
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _arrive(self, from_client, sink, data):
        if not data:
            return sink.shutdown(socket.SHUT_WR)
        sink.sendall(data)
        with self._lock:
            if from_client:
                self.sent += len(data)
            else:
                self.received += len(data)
        if self.on_bytes:
            self.on_bytes(self.sent, self.received)


class Sshd:
    """An SSH server of its own on 127.0.0.1: fresh keys in `folder`, and a home folder of its own for whoever
    logs in."""

    def __init__(self, folder, mark, extra=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.home = self.folder / "home"
        self.home.mkdir()
        self.identity = self.folder / "identity"
        self.host_key = self.folder / "host_key"
        for key in (self.identity, self.host_key):
            make_key(key)
        shutil.copy(str(self.identity) + ".pub", self.folder / "authorized_keys")
        self.mark, self.extra = mark, list(extra)
        self.process = None
        self.port = free_port()
        self.start()

    def start(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)  # a service manager makes it usually
        config = self.folder / "sshd_config"
        for _ in range(5):
            lines = self.extra + [
                "ListenAddress 127.0.0.1", "Port %d" % self.port, "HostKey %s" % self.host_key, "PidFile none",
                "AuthorizedKeysFile %s/authorized_keys" % self.folder, "StrictModes no", "UsePAM no",
                "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
                "PrintMotd no", "PrintLastLog no", "UseDNS no", "MaxStartups 1000", "LogLevel VERBOSE",
                "SetEnv %s=%s HOME=%s" % (MARK, self.mark, self.home)]
            config.write_text("\n".join(lines) + "\n")
            self.process = subprocess.Popen([sshd_program(), "-D", "-f", str(config), "-E", str(self.folder / "log")],
                                            env={"PATH": os.environ["PATH"], MARK: self.mark}, stdin=subprocess.DEVNULL)
            if self._came_up():
                return
            self.port = free_port()
        raise AssertionError("sshd did not come up: " + (self.folder / "log").read_text())

    def _came_up(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False

    def change_host_key(self):
        """What a reinstalled machine, or somebody in the middle, shows."""
        self.stop()
        self.host_key.unlink()
        make_key(self.host_key)
        self.start()

    def public_key(self):
        return " ".join((self.host_key.parent / "host_key.pub").read_text().split()[:2])

    def known_hosts_line(self, port=None):
        return "[127.0.0.1]:%d %s\n" % (port or self.port, self.public_key())

    def fingerprint(self):
        return subprocess.run(["ssh-keygen", "-l", "-f", str(self.host_key) + ".pub"], check=True,
                              stdout=subprocess.PIPE).stdout.decode().split()[1]

    def stop(self):
        for pid, _ in processes_with(self.mark):
            if is_below(pid, self.process.pid):
                kill(pid)
        kill(self.process.pid)
        self.process.wait()


def is_below(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            with open("/proc/%d/stat" % pid) as status:
                pid = int(status.read().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def kill(pid, how=signal.SIGKILL):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def make_key(path):
    for stale in (path, pathlib.Path(str(path) + ".pub")):
        if stale.exists():
            stale.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "throw-away", "-f", str(path)], check=True)


def sshd_program():
    for candidate in ("/usr/sbin/sshd", "/usr/local/sbin/sshd"):
        if os.access(candidate, os.X_OK):
            return candidate
    return None


def need(there, what):
    """A missing facility is said aloud and counted; it never passes for a success."""
    if not there:
        print("SKIPPED: %s" % what, file=sys.stderr, flush=True)
        raise unittest.SkipTest(what)


class Case(unittest.TestCase):
    """One test: its own HOME and folders, and no process left behind."""

    maxDiff = 4000
    kept = False

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="porter-test-")).resolve()
        self.addCleanup(self._remove)
        self.mark = self.folder.name
        self.addCleanup(self._check_processes)
        self.home = self.folder / "home"
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        self.target = self.folder / "target"
        self.target.mkdir()
        self.env = {
            "HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", MARK: self.mark,
            "PORTER_SITE_CONFIG": str(self.folder / "no-site.ini"), "GIT_CONFIG_NOSYSTEM": "1",
            "TMPDIR": str(self.folder)}
        for name in ("CCACHE_DIR", "PYENV_VERSION", "ASAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def close(self, keep=False):
        """For programs that use it without a test runner. With `keep` the folder stays for whoever looks into a
        failure."""
        self.kept = keep
        self.doCleanups()

    def _remove(self):
        if self.kept:
            return
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(self.folder)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check_processes(self):
        try:
            wait_until(lambda: not processes_with(self.mark), 20, "every process to end")
        except AssertionError:
            left = processes_with(self.mark)
            for pid, _ in left:
                kill(pid)
            self.fail("processes left behind: %s" % left)

    # --- files ---

    def write(self, path, content="", mode=None):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        if mode is not None:
            path.chmod(mode)
        return path

    def project(self, modules=("app",), hosts="here = local:", extra="", name="project", **inis):
        """A project with modules that each deploy src/ to target/NAME; keyword arguments add to a module's
        ini. Gives back its folder."""
        text = "[project]\nname = Test\ndepends = %s\n\n[hosts]\n%s\n%s\n" % (", ".join(modules), hosts, extra)
        self.write("%s/project.ini" % name, text)
        for module in modules:
            added = inis.get(module, "")
            if not added.startswith("["):
                added = "\n" + added
            self.write("%s/%s/%s.ini" % (name, module, module),
                       "[module]\npath = %s/%s%s\n" % (self.target, module, "\n" + added))
            self.write("%s/%s/src/file.txt" % (name, module), "content of %s\n" % module)
        self.directory = self.folder / name
        return self.directory

    def ini(self, text, module="app"):
        """Another ini for a module; its path stays."""
        path = "project/%s/%s.ini" % (module, module)
        return self.write(path, "[module]\npath = %s\n%s\n" % (self.site(module), text))

    def compile_plugin(self, name, text):
        """A plugin into the project's folder plugins/."""
        source = self.write("plugin-%s.cpp" % name, text)
        (self.directory / "plugins").mkdir(exist_ok=True)
        flags = ["-fsanitize=" + os.environ["PORTER_SANITIZE"]] if SANITIZED else []
        subprocess.run(["c++", "-std=c++20", "-fPIC", "-shared", *flags, "-I", str(SOURCE / "sdk/include"),
                        str(source), "-o", str(self.directory / "plugins" / (name + ".so"))], check=True)

    def site(self, module="app"):
        return self.target / module

    def current(self, module="app"):
        return self.site(module) / "current"

    def release_of(self, module="app"):
        return os.readlink(self.current(module)).split("/")[-1]

    # --- running ---

    def start(self, *arguments, cwd=None, env=None, program=ADMIN, **more):
        environment = dict(self.env, **(env or {}))
        return subprocess.Popen([program, *map(str, arguments)], cwd=str(cwd or self.directory), env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def run_admin(self, *arguments, cwd=None, env=None, code=None, timeout=120):
        began = time.monotonic()
        process = self.start(*arguments, cwd=cwd, env=env)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for pid, _ in processes_with(self.mark):
                if is_below(pid, process.pid):
                    kill(pid)
            out, err = process.communicate()
            self.fail("no end within %s s: %s" % (timeout, Result(arguments, "-", out, err, timeout)))
        result = Result(arguments, process.returncode, out, err, time.monotonic() - began)
        if code is not None:
            self.assertEqual(result.code, code, result)
        return result

    def deploy(self, *arguments, code=OK, **more):
        return self.run_admin("deploy", "--host", "here", *arguments, code=code, **more)

    def deploy_json(self, *arguments, code=OK, **more):
        return self.deploy("--json", *arguments, code=code, **more)

    def signals(self, result, module=None):
        return [each["signal"] for each in result.events("signal_fired") if module in (None, each["module"])]

    # --- SSH ---

    def sshd(self, name="sshd", extra=(), known=True):
        need(sshd_program(), "no sshd on this machine")
        server = Sshd(self.folder / name, self.mark, extra)
        self.addCleanup(server.stop)
        if known:
            self.trust(server.known_hosts_line())
        return server

    def relay(self, server, known=True):
        relay = Relay(server.port)
        self.addCleanup(relay.close)
        if known:
            self.trust(server.known_hosts_line(relay.port))
        return relay

    def trust(self, line):
        with open(self.home / ".ssh" / "known_hosts", "a") as known:
            known.write(line)

    def ssh_config(self, alias, server, port=None, more=""):
        with open(self.home / ".ssh" / "config", "a") as config:
            config.write("Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n%s" % (
                alias, port or server.port, user_name(), server.identity, more))

    # --- the target ---

    def assert_settled(self, module="app"):
        """Everything in a site's folder (layout releases) is accounted for: nothing half done is left."""
        site = self.site(module)
        allowed = {".porter", "releases", "current", "shared"}
        self.assertLessEqual(set(os.listdir(site)), allowed)
        porter = site / ".porter"
        self.assertEqual(stat.S_IMODE(porter.stat().st_mode), 0o700)
        for folder in ("staging", "trash", "undo"):
            if (porter / folder).exists():
                self.assertEqual(os.listdir(porter / folder), [], "%s of %s" % (folder, site))
        sealed = set(os.listdir(porter / "manifests")) if (porter / "manifests").exists() else set()
        self.assertEqual(set(os.listdir(site / "releases")), sealed, "releases and manifests differ")
        known = {"format", "lock", "live", "journal", "manifests", "staging", "undo", "trash", "history", "spare",
                 "spare.seal", "interrupted", "bad", "pinned", "frozen", "kept", "outside"}
        self.assertLessEqual(set(os.listdir(porter)), known, "stray files in .porter")
        if os.path.lexists(self.current(module)):
            self.assertIn(self.release_of(module), sealed)


def user_name():
    import pwd
    return pwd.getpwuid(os.geteuid()).pw_name


def main():
    if not os.access(ADMIN, os.X_OK):
        sys.exit("no porter-admin at %s" % ADMIN)
    program = unittest.main(module="__main__", verbosity=2, exit=False)
    skipped = program.result.skipped
    for test, reason in skipped:
        print("SKIPPED %s: %s" % (test.id(), reason), file=sys.stderr)
    print("%d run, %d skipped" % (program.result.testsRun, len(skipped)), file=sys.stderr)
    sys.exit(0 if program.result.wasSuccessful() else 1)
