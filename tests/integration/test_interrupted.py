"""A send that is interrupted: what has arrived is not sent again, and nothing of it is believed."""

import os
import random
import signal

import porter
from porter import INTERRUPTED, OK

FILES, SIZE = 1500, 40_000
ALL = FILES * SIZE
MIB = 1 << 20
ENOUGH = 0.7  # of all, at most, when half of it was there


def below(folder):
    return [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]


def blocks_of(path):
    try:
        return os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0  # it is in its place now


class Interrupted(porter.Case):
    layout = "releases"

    def setUp(self):
        super().setUp()
        self.server = self.sshd()
        self.relay_ = self.relay(self.server)
        self.ssh_config("there", self.server, self.relay_.port)
        self.project(hosts="here = there\nnear = local:")
        self.ini("layout = " + self.layout)
        self.random = random.Random(7)
        self.deploy()  # the agent is there from now on
        (self.directory / "app/src/file.txt").unlink()

    def fill(self, folder="app/src"):
        """60 MB that do not get smaller."""
        for number in range(FILES):
            path = self.directory / folder / ("folder%d" % (number % 9)) / str(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.random.randbytes(SIZE))

    def live(self):
        return self.site() if self.layout == "inplace" else self.current()

    def left(self):
        return self.site() / ".porter/interrupted"

    def left_files(self):
        return [path for path in self.left().rglob("*") if path.is_file()]

    def arrived(self):
        """Bytes on the disk of what is being built; some megabytes more are always under way."""
        places = [self.site() / ".porter/staging", self.left() / "begun"]
        sealed = set(os.listdir(self.site() / ".porter/manifests"))
        if self.layout == "releases":
            places = [path for path in (self.site() / "releases").iterdir() if path.name not in sealed] + places[1:]
        return sum(blocks_of(path) for place in places for path in below(place))

    def interrupt(self, how, part=0.5):
        """Deploys; how(process) once so much of it has arrived. Gives the exit code."""
        self.relay_.reset()
        state = {"done": False, "looked": 0}
        process = self.start("deploy", "--host", "here")

        def on_bytes(sent, _):
            if sent < state["looked"] + MIB or state["done"]:
                return
            state["looked"] = sent
            if self.arrived() > ALL * part:
                state["done"] = True
                how(process)

        self.relay_.on_bytes = on_bytes
        process.communicate(timeout=120)
        self.relay_.on_bytes = None
        self.assertTrue(state["done"], "all was sent before it could be interrupted")
        porter.wait_until(lambda: not self.running(), what="the agent to end")
        return process.returncode

    def running(self):
        return [line for _, line in porter.processes_with(self.mark) if "porter-admin" in line or "porter-agent" in line]

    def cut(self, _):
        self.relay_.cut()

    def press_ctrl_c(self, process):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)

    def kill_client(self, process):
        for pid, line in porter.processes_with(self.mark):
            if "porter-admin" in line:
                porter.kill(pid)

    def kill_agent(self, _):
        for pid, line in porter.processes_with(self.mark):
            if "porter-agent" in line:
                porter.kill(pid)

    def assert_deployed(self):
        """Judged by find and sha256sum."""
        wanted, found = porter.tree(self.directory / "app/src"), porter.tree(self.live())
        if self.layout == "inplace":
            found = {path: entry for path, entry in found.items() if not (path + b"/").startswith(b".porter/")}
        self.assertEqual(found, wanted)
        self.assertFalse(self.left().exists())
        self.assertEqual(self.run_admin("diff", "--host", "here", "--detailed-exitcode").code, OK)

    def deploy_rest(self, most=ENOUGH * ALL):
        self.relay_.reset()
        result = self.deploy("-d", "stats")
        self.assertLess(self.relay_.sent, most, result)
        print("%d of %d bytes sent" % (self.relay_.sent, ALL), flush=True)
        self.assert_deployed()
        return result

    def test_the_connection_dies(self):
        self.fill()
        self.assertNotEqual(self.interrupt(self.cut), OK)
        result = self.deploy_rest()
        self.assertRegex(result.err, r"\[stats\] stage .* MiB resumed")
        self.relay_.reset()
        self.fill()
        self.interrupt(self.cut)  # over a live release, and from then on a spare
        self.deploy_rest()

    def test_the_client_is_killed(self):
        self.fill()
        self.interrupt(self.kill_client)
        self.deploy_rest()

    def test_the_agent_is_killed(self):
        self.fill()
        self.interrupt(self.kill_agent)
        self.deploy_rest()

    def test_ctrl_c(self):
        self.fill()
        self.assertEqual(self.interrupt(self.press_ctrl_c), INTERRUPTED)
        self.deploy_rest()

    def test_again_and_again(self):
        self.fill()
        for part in (0.3, 0.6):
            self.interrupt(self.cut, part)
        self.deploy_rest(most=ALL * 0.5)

    def test_nothing_of_it_is_believed(self):
        self.fill()
        self.interrupt(self.cut)
        self.assertGreater(len(self.left_files()), FILES // 4)
        for path in self.left_files()[:20]:
            was = path.stat()
            with open(path, "r+b") as file:
                file.seek(SIZE // 2)
                byte = file.read(1)
                file.seek(SIZE // 2)
                file.write(bytes([byte[0] ^ 1]))
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
        for path in self.left_files()[20:24]:
            os.link(path, self.folder / path.name)  # somebody has a name for it
        for path in self.left_files()[24:28]:
            path.unlink()
            path.symlink_to("/etc/passwd")
        self.deploy_rest()

    def test_a_large_file(self):
        large = self.directory / "app/src/large"
        large.write_bytes(self.random.randbytes(ALL))
        self.interrupt(self.cut)
        (begun,) = (self.left() / "begun").iterdir()
        result = self.deploy_rest()
        self.assertRegex(result.err, r"\[stats\] stage .* MiB resumed")
        # And when what arrived of it is no good.
        large.write_bytes(self.random.randbytes(ALL))
        (self.directory / "app/src/little").write_text("x")
        if self.layout == "inplace":
            return  # a delta to the live one
        large.rename(self.directory / "app/src/other")
        self.interrupt(self.cut)
        (begun,) = (self.left() / "begun").iterdir()
        with open(begun, "r+b") as file:
            for at in range(0, ALL, 60_000):
                file.seek(at)
                file.write(b"something else")
        self.deploy_rest(most=ALL * 1.1)

    def test_another_source_gets_nothing_and_leaves_nothing(self):
        self.fill()
        self.interrupt(self.cut)
        self.fill()
        self.deploy_rest(most=ALL * 1.1)

    def test_a_rollback_has_it_removed(self):
        self.write("project/app/src/one", "1")
        self.deploy()
        self.write("project/app/src/one", "2")
        self.deploy()
        self.fill()
        self.interrupt(self.cut)
        self.run_admin("rollback", "--host", "here", code=OK)
        self.assertFalse(self.left().exists())


class InterruptedInPlace(Interrupted):
    layout = "inplace"


if __name__ == "__main__":
    porter.main()
