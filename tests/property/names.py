"""Random names of every kind that a file system takes, and names that are easily taken for another. Bytes throughout:
not every name is text."""

import unicodedata

LONGEST = 255
# What the deployer leaves out by its standard rules, and the folder that a site in place keeps for itself.
NOT_DEPLOYED = {b".git", b".gitmodules", b".gitattributes", b".gitignore", b".porterignore", b".porter"}

WORDS = ["index", "Index", "main", "lib", "data", "Readme", "style", "a", "b", "x1", "current", "releases", "shared",
         "staging", "undo", "spare", "trash", "manifests", "0.0", "1.2", "r1", "list", "operations"]
ENDINGS = ["", "", ".txt", ".py", ".css", ".tar.gz", ".porter-1", "~", ".new", ".old", ".tmp"]
QUOTES = ["it's", '"quoted"', "`id`", "$(id)", "$HOME", "a\\b", "*", "?", "[a-z]", "{a,b}", "!", "#x", ";", "&", "|",
          "<", ">", "%", "%s%n", "%2e%2e", "%(path)s", "=", "a=b", "~", "C:", "host:path", "a -> b", "[module]"]
BLANKS = [" ", "  ", " front", "end ", "in the middle", "tab\there", "new\nline", "\n", "two\n\nlines\n", "return\r",
          "\x01\x1b[31m", "\x7f", "\v\f", "no\u00a0break"]
DASHES = ["-", "--", "-rf", "--delete", "-n", "-e sh"]
DOTS = ["...", "..a", ".hidden", ".a.", "a..", ".env", ".gitkeep", ".porterignore2", "git", ".Git"]
BEYOND = ["żółw", "naïve", "Å", "café", "Ωmega", "日本語", "한글", "🦉", "e\u0301tude", "\u1e9b\u0323", "ﬁ", "İi", "ß",
          "\u202eright", "\ufeffmark", "zero\u200bwidth"]
NOT_TEXT = [b"\xff", b"\xfe\xfd", b"caf\xe9", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80\x80", b"ok\xffok", b"\xf5"]


def plain(rng):
    return (rng.choice(WORDS) + rng.choice(ENDINGS)).encode()


def numbered(rng):
    return plain(rng) + b"%d" % rng.randrange(1000)


def one_of(*lists):
    def make(rng):
        name = rng.choice(rng.choice(lists))
        return name if isinstance(name, bytes) else name.encode()
    return make


def not_text(rng):
    return rng.choice([b"", b"x", b".", b" "]) + rng.choice(NOT_TEXT) + rng.choice([b"", b"y", b".txt"])


def any_bytes(rng):
    return bytes(rng.choice([byte for byte in range(1, 256) if byte != ord("/")]) for _ in range(rng.randint(1, 12)))


def longest(rng):
    """As long as can be, or nearly; also where the last letter ends just there."""
    unit = rng.choice([b"x", b"long ", "é".encode(), "語".encode(), b"\xff"])
    size = rng.choice([LONGEST, LONGEST, LONGEST - 1, 254, 250])
    return (unit * LONGEST)[:size - size % len(unit)].ljust(size, b"_")


KINDS = [(plain, 6), (numbered, 6), (one_of(QUOTES, BLANKS, DASHES, DOTS), 8), (one_of(BEYOND), 3), (not_text, 2),
         (any_bytes, 2), (longest, 1)]


def relatives(name):
    """Names that differ from this one in nothing but case, the normal form of their letters, or what is easily lost."""
    found = [name + b" ", name + b".", name + b"\n", b" " + name, name[:-1]]
    found += [name.swapcase(), name.upper(), name.lower()]
    try:
        text = name.decode()
        found += [unicodedata.normalize(form, text).encode() for form in ("NFC", "NFD", "NFKC", "NFKD")]
        found += [text.swapcase().encode(), text.casefold().encode()]
    except UnicodeDecodeError:
        pass
    return found


def allowed(name):
    return 0 < len(name) <= LONGEST and name not in NOT_DEPLOYED | {b".", b".."} and not {0, ord("/")} & set(name)


def fresh(rng, taken):
    """A name that is not taken yet; now and then one that is easily taken for its neighbour."""
    makers, weights = zip(*KINDS)
    while True:
        if taken and rng.random() < 0.2:
            name = rng.choice(relatives(rng.choice(sorted(taken))))
        else:
            name = rng.choices(makers, weights)[0](rng)
        if allowed(name) and name not in taken:
            return name


def in_other_case(name):
    """The same name in another case; None where it has none."""
    found = [each for each in (name.swapcase(), name.upper(), name.lower()) if each != name and allowed(each)]
    return found[0] if found else None
