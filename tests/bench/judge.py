"""An independent look at a target after a run: rsync and find say what differs from the source, none of our code."""

import subprocess

FULL, CONTENT = "full", "content"
SHOWN = 3


def differences(source, target, keeps=FULL):
    """What is different, a line each; nothing when the target is the source. CONTENT is for tools that keep neither
    times nor links: names and bytes of what is no link."""
    if keeps == CONTENT:
        return rsync_says("-rLnc", source, target)
    return rsync_says("-aHnc", source, target) + find_says(source, target)


def rsync_says(options, source, target):
    done = subprocess.run(["rsync", options, "--delete", "--itemize-changes", "%s/" % source, "%s/" % target],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines + (["rsync ended with %d" % done.returncode] if done.returncode else [])


def find_says(source, target):
    wanted, found = listing(source), listing(target)
    return ["%s: %s, wanted %s" % (path.decode("utf-8", "replace"), found.get(path, "nothing"), wanted.get(path, "nothing"))
            for path in sorted(wanted.keys() | found.keys()) if wanted.get(path) != found.get(path)]


def listing(folder):
    """Each entry's kind, mode, time, size and link target; a folder's size is the file system's own, and so is a
    link's mode."""
    forms = ["(", "-type", "d", "-printf", "d %m %T@ -\\0%P\\0", ")", "-o",
             "(", "-type", "l", "-printf", "l - %T@ %l\\0%P\\0", ")", "-o",
             "-printf", "%y %m %T@ %s\\0%P\\0"]
    fields = subprocess.run(["find", "%s/" % folder, "-mindepth", "1", *forms], stdout=subprocess.PIPE,
                            check=True).stdout.split(b"\0")
    return dict(zip(fields[1::2], fields[0::2]))
