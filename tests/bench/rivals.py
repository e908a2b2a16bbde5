"""What porter-admin is compared with: what people use, as they use it and as somebody would who knows it well."""

import shutil

import judge
import place as places
from contestant import Contestant
from porter_rival import Porter, PorterRun
from shared import porter

CURVE = "KexAlgorithms=curve25519-sha256"


class Rsync(Contestant):
    def __init__(self, place, name, ssh_options=(), options=()):
        super().__init__(place)
        self.name, self._ssh_options, self._options = name, ssh_options, list(options)

    def shell(self, host):
        return " ".join(self.place.ssh(*self._ssh_options))

    def options(self, link):
        return self._options

    def jobs(self, tree, link):
        return [[["rsync", "-a", "--delete", *self.options(link), "-e", self.shell(host), "%s/" % tree.folder,
                  "%s:%s/" % (host, self.landing(tree, folder))]] for host, folder in link.targets]


class StrongRsync(Rsync):
    """rsync by somebody who knows it: no recursion in steps, a warm connection, and compression for thin links."""

    def prepare(self, link):
        for host in link.hosts:
            self.place.master(host, "-o", CURVE)

    def shell(self, host):
        return " ".join(self.place.ssh("-S", str(self.place.master(host))))

    def options(self, link):
        return ["--no-inc-recursive"] + (["-z", "--zc=zstd"] if link.bits else [])


class _LinkDest:
    """Each run makes a folder of its own, with hard links to what the one before has; the one before that goes first,
    and that is not timed."""

    def __init__(self, *words):
        super().__init__(*words)
        self._newest = 0

    def wipe(self, tree, link):
        super().wipe(tree, link)
        self._newest = 0

    def landing(self, tree, folder):
        return self.folder(tree, folder) / str(self._newest)

    def options(self, link):
        before = ["--link-dest=../%d" % (self._newest - 1)] if self._newest > 1 else []
        return super().options(link) + before

    def jobs(self, tree, link):
        self._newest += 1
        for _, folder in link.targets:
            places.remove(self.folder(tree, folder) / str(self._newest - 2))
        return super().jobs(tree, link)


class LinkDest(_LinkDest, Rsync):
    pass


class StrongLinkDest(_LinkDest, StrongRsync):
    pass


class Scp(Contestant):
    """Keeps neither times nor links."""

    keeps, name = judge.CONTENT, "scp -r"

    def landing(self, tree, folder):
        return self.folder(tree, folder) / tree.folder.name

    def jobs(self, tree, link):
        return [[["scp", "-F", str(self.place.config), "-q", "-r", str(tree.folder),
                  "%s:%s/" % (host, self.folder(tree, folder))]] for host, folder in link.targets]


class Tar(Contestant):
    """tar through ssh, in the format that keeps times as exact as they are."""

    name = "tar over ssh"

    def jobs(self, tree, link):
        return [[["tar", "-C", str(tree.folder), "--format=posix", "-cf", "-", "."],
                 self.place.ssh(host, "tar", "-C", str(self.landing(tree, folder)), "-xpf", "-")]
                for host, folder in link.targets]


class Ansible(Contestant):
    """With pipelining and 50 forks; connections stay for a minute, as is its default."""

    program = "ansible-playbook"
    CONFIG = "[defaults]\nforks = 50\n[ssh_connection]\npipelining = True\nssh_args = -F %s %s\n"
    KEPT = "-C -o ControlMaster=auto -o ControlPersist=60s"

    def __init__(self, place):
        super().__init__(place)
        self._directory = place.folder / self.name.replace(" ", "-")
        self._directory.mkdir()
        (self._directory / "ansible.cfg").write_text(self.CONFIG % (place.config, self.KEPT))

    def environment(self):
        return dict(super().environment(), ANSIBLE_CONFIG=str(self._directory / "ansible.cfg"), LC_ALL="C.UTF-8")

    def inventory(self, tree, link):
        path = self._directory / "hosts"
        path.write_text("".join("%s ansible_python_interpreter=/usr/bin/python3 dest=%s\n" % (
            host, self.folder(tree, folder) if tree else "") for host, folder in link.targets))
        return str(path)


class AnsibleSynchronize(Ansible):
    name = "ansible synchronize"
    PLAY = ("- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.posix.synchronize:\n        src: %s/\n"
            "        dest: '{{ dest }}/'\n        delete: true\n        use_ssh_args: true\n")

    def jobs(self, tree, link):
        play = self._directory / ("%s.yml" % tree.name)
        play.write_text(self.PLAY % tree.folder)
        return [[[self.program, "-i", self.inventory(tree, link), str(play)]]]


class AnsibleCommand(Ansible):
    name, program = "ansible command", "ansible"

    def jobs(self, tree, link):
        return [[[self.program, "-i", self.inventory(tree, link), "all", "-m", "command", "-a", "true"]]]


class Floor(Contestant):
    """No rival: what the file system asks of anybody (tree_floor.cc), without a network."""

    PROGRAM = str(porter.BUILD / "tests/tree_floor")

    def __init__(self, place, name, options=()):
        super().__init__(place)
        self.name, self._options = name, list(options)

    def jobs(self, tree, link):
        return [[[self.PROGRAM, *self._options, str(tree.folder), str(self.landing(tree, folder))]]
                for _, folder in link.targets]


class SshAtOnce(Contestant):
    name = "ssh at once"

    def jobs(self, tree, link):
        return [[self.place.ssh("-o", CURVE, host, "true")] for host in link.hosts]


def everybody(place, trees):
    """All contestants by name, and those that are missing here with the reason."""
    found = [Porter(place, "porter", "full", trees), Porter(place, "porter none", "none", trees),
             PorterRun(place, "porter run", "full", trees),
             Rsync(place, "rsync"), Rsync(place, "rsync curve", ("-o", CURVE)), StrongRsync(place, "rsync strong"),
             Rsync(place, "rsync z", (), ("-z",)), LinkDest(place, "link-dest"),
             StrongLinkDest(place, "link-dest strong"), Scp(place), Tar(place), SshAtOnce(place),
             Floor(place, "floor", ("--sync",)), Floor(place, "floor none")]
    missing = {}
    for kind in (AnsibleSynchronize, AnsibleCommand):
        if shutil.which(kind.program):
            found.append(kind(place))
        else:
            missing[kind.name] = "%s is not installed" % kind.program
    return {each.name: each for each in found}, missing
