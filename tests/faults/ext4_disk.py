"""An ext4 file system in an image file whose power can be cut: FS_IOC_SHUTDOWN without flushing the journal, then
mounted again as after a crash. Page cache and open transactions are lost; what had reached the disk is there."""

import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import sys

from place import porter

FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
SIZE = 96 << 20
NEEDED = ("mkfs.ext4", "mount", "umount", "unshare", "sync")


def run(*command):
    done = subprocess.run([str(each) for each in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise OSError("%s: %s" % (" ".join(map(str, command)), done.stdout.decode("utf-8", "replace").strip()))


class Disk:
    def __init__(self, folder, options=""):
        self.image, self.mount = pathlib.Path(folder) / "image", pathlib.Path(folder) / "mounted"
        self.options = ",".join(["loop", options] if options else ["loop"])
        self.mount.mkdir(parents=True)
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        run("mkfs.ext4", "-q", self.image)
        self._mount()

    def _mount(self):
        run("mount", "-t", "ext4", "-o", self.options, self.image, self.mount)

    def sync(self):
        run("sync", "-f", self.mount)

    def cut(self):
        folder = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(folder)

    def power_up(self):
        self.unmount()
        self._mount()

    def unmount(self):
        def gone():
            return subprocess.run(["umount", str(self.mount)], stderr=subprocess.DEVNULL).returncode == 0
        porter.wait_until(gone, 20, "the file system to be free")

    def keep(self, folder):
        """The image as it is, for whoever looks into a failure."""
        copy = pathlib.Path(folder) / "image-after-the-cut"
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        return copy


def why_not(folder):
    """What is missing on this machine, or None. Tries it all once."""
    if os.geteuid() != 0:
        return "mounting needs root"
    missing = [each for each in NEEDED if shutil.which(each) is None]
    if missing:
        return "not installed: " + ", ".join(missing)
    if not has_own_mounts():
        return "no mount namespace of our own can be made"
    try:
        disk = Disk(folder)
        disk.cut()
        disk.power_up()
        disk.unmount()
    except OSError as problem:
        return str(problem)
    return None


def in_own_namespace():
    """Runs this program again where its mounts are its own and vanish with it; where that cannot be it goes on as it
    is, without has_own_mounts()."""
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if has_own_mounts() or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return  # in a chroot whose root is no mount point, say
    os.environ["PORTER_OWN_MOUNTS"] = "yes"
    os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv])


def has_own_mounts():
    return os.environ.get("PORTER_OWN_MOUNTS") == "yes"
