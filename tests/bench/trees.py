"""The trees that are deployed: made once below build/bench/trees, kept, and changed a little from run to run."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
# What porter-admin leaves out of every source by itself, and npm's note of where packages came from.
LEFT_OUT = {".git", ".gitmodules", ".gitattributes", ".gitignore", ".porterignore", ".package-lock.json"}
LARGE = 300_000_000


class TreeError(Exception):
    pass


def node_modules(folder, _):
    wanted = [line.strip() for line in (HERE / "node_modules.txt").read_text().splitlines()]
    wanted = dict(line.rsplit("@", 1) for line in wanted if line and not line.startswith("#"))
    package = {"name": "bench-tree", "version": "1.0.0", "private": True, "dependencies": wanted}
    (folder / "package.json").write_text(json.dumps(package))
    subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps",
                    "--loglevel=error"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for name in ("package.json", "package-lock.json"):
        (folder / name).unlink()
    drop_left_out(folder)
    at_least(folder, 25_000)


def headers(folder, rng, count=5_000):
    """Headers of this machine, under the paths that they have below /usr/include."""
    root = pathlib.Path("/usr/include")
    found = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    if len(found) < count:
        raise TreeError("only %d files in /usr/include: scripts/setup --bench brings more" % len(found))
    for path in sorted(rng.sample(found, count)):
        copy = folder / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    drop_left_out(folder)


def large_file(folder, rng, size=LARGE):
    """The beginning of an archive of files of /usr/lib, in an order of the seed's."""
    files = sorted(path for path in pathlib.Path("/usr/lib").rglob("*") if path.is_file() and not path.is_symlink())
    rng.shuffle(files)
    target = folder / "large.tar"
    with open(target, "wb") as out, tarfile.open(fileobj=out, mode="w|") as archive:
        for path in files:
            if out.tell() > size:
                break
            archive.add(path, recursive=False)
    if target.stat().st_size < size:
        raise TreeError("/usr/lib has less than %d bytes" % size)
    os.truncate(target, size)


def tiny_files(folder, rng, count=100_000, folders=1_000):
    """Files of 20 to 1,000 bytes in folders of two levels; half of each file's bytes are text that compresses."""
    names = [folder / ("part%02d" % (number // 32)) / ("group%03d" % number) for number in range(folders)]
    for name in names:
        name.mkdir(parents=True)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(500)]
    for number in range(count):
        size = rng.randint(20, 1000)
        text = b" ".join(rng.choices(words, k=size // 10 + 1))
        content = (text + b"\n" + rng.randbytes(size // 2).hex().encode())[:size]
        (names[number % folders] / ("file%06d.txt" % number)).write_bytes(content)


def small_headers(folder, rng):
    headers(folder, rng, 300)


def tiny(folder, rng):
    tiny_files(folder, rng, 60, 4)
    (folder / "empty").mkdir()
    (folder / "program").write_bytes(rng.randbytes(100_000))
    (folder / "program").chmod(0o755)
    make_older(folder)


def make_older(folder, seconds=10):
    """rsync leaves the time of a folder that it has made in the very second that it should have."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            info = path.stat()
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns - seconds * 10 ** 9))


MAKERS = {"T1": node_modules, "T2": headers, "T3": large_file, "T4": tiny_files, "T5": small_headers, "tiny": tiny}
DESCRIPTIONS = {"T1": "a real node_modules", "T2": "C and C++ headers", "T3": "one large archive",
                "T4": "tiny files of 20 to 1,000 bytes", "T5": "few headers, for many hosts",
                "tiny": "some tiny files, to test the benchmark itself"}


def drop_left_out(folder):
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name in LEFT_OUT:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def at_least(folder, count):
    found = sum(len(files) for _, _, files in os.walk(folder))
    if found < count:
        raise TreeError("%s has only %d files" % (folder, found))


def make(folder, name, seed, say):
    """The tree's folder; it appears under its name only when it is complete."""
    done = folder / name
    if not done.exists():
        say("making tree %s (%s), once" % (name, DESCRIPTIONS[name]))
        half = folder / (name + ".part")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        MAKERS[name](half, random.Random("%s %s" % (name, seed)))
        half.rename(done)
    return done


class Tree:
    """A tree that exists: what is in it, and the changes that a row asks for. Each change is new content that no
    target has seen; `version` counts them."""

    def __init__(self, name, folder):
        self.name, self.folder, self.version = name, folder, 0
        paths = sorted(os.path.join(where, name) for where, folders, files in os.walk(folder)
                       for name in folders + files)
        self.links = [path for path in paths if os.path.islink(path)]
        self.files = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
        self.folders = [path for path in paths if os.path.isdir(path) and not os.path.islink(path)]

    def facts(self):
        return {"files": len(self.files), "folders": len(self.folders), "links": len(self.links),
                "bytes": sum(map(os.path.getsize, self.files))}

    def change(self, how, rng):
        CHANGES[how](self, rng)
        self.version += 1


def overwrite(path, rng, count=40):
    """A few other bytes, in place: size and everything around stay."""
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(rng.randrange(max(1, size - count)))
        file.write(rng.randbytes(count // 2).hex().encode()[:max(1, min(count, size))])


def change_one(tree, rng):
    overwrite(rng.choice(tree.files), rng)


def change_percent(tree, rng):
    for path in rng.sample(tree.files, max(1, len(tree.files) // 100)):
        overwrite(path, rng)


def rewrite(path, pieces):
    """A new file in the old one's place, as an editor or an archiver writes it."""
    half = str(path) + ".part"
    with open(half, "wb") as out:
        for piece in pieces:
            out.write(piece)
    os.rename(half, path)


def edit_middle(tree, rng):
    path = tree.files[0]
    overwrite_at = os.path.getsize(path) // 2 + rng.randrange(100_000)
    with open(path, "r+b") as file:
        file.seek(overwrite_at)
        file.write(rng.randbytes(1000))


def insert_front(tree, rng):
    content = pathlib.Path(tree.files[0]).read_bytes()
    rewrite(tree.files[0], [rng.randbytes(777), content])


def scatter(tree, rng, count=200):
    """At each of 200 places 100 bytes give way to 50 to 150 others, so that what follows moves."""
    content = memoryview(pathlib.Path(tree.files[0]).read_bytes())
    pieces, last = [], 0
    for place in sorted(rng.sample(range(0, len(content) - 200, 200), count)):
        pieces += [content[last:place], rng.randbytes(rng.randint(50, 150))]
        last = place + 100
    rewrite(tree.files[0], pieces + [content[last:]])


CHANGES = {"one": change_one, "percent": change_percent, "middle": edit_middle, "front": insert_front,
           "scattered": scatter}
