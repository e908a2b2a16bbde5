"""A file system for targets alone: ext4 in an image file, with a journal and without discard, as servers have it. What
the machine's own is mounted with (discard at each deletion makes deleting a file a hundred times slower) and what
others write there then changes no number."""

import pathlib
import subprocess
import tempfile

from shared import porter

SIZE = 32 << 30  # of a sparse file
MAKE = ["mkfs.ext4", "-q", "-i", "8192", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1"]


def mount(folder, point):
    """Makes the image in `folder` and mounts it. It has no name any more then, and goes with the mount."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".image") as image:
        image.truncate(SIZE)
        pathlib.Path(point).mkdir()
        subprocess.run([*MAKE, image.name], check=True)
        subprocess.run(["mount", "-t", "ext4", "-o", "loop,nodiscard,noinit_itable", image.name, str(point)], check=True)
    return pathlib.Path(point)


def unmount(point):
    def gone():
        return subprocess.run(["umount", str(point)], stderr=subprocess.DEVNULL, check=False).returncode == 0
    porter.wait_until(gone, 20, "the file system to be free")
