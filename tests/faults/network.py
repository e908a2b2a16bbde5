#!/usr/bin/env python3
"""Networks that fail: deploys OLD → NEW over SSH through a relay that goes bad (faulty_relay.py), in every way at many
places. Both ends have to end by themselves within the deadlines of docs/hosts-and-ssh.md; the target is held against
release_check.py, and once the network is well again the next plain deploy has to put everything right.

    network.py              sixty faults (CTest: faults-network)
    network.py --long       several hundred, at random bytes as well
    network.py --replay KIND/WHERE[/lasting]      one fault, again
"""

import argparse
import collections
import os
import pathlib
import queue
import random
import shutil
import signal
import sys
import threading
import time

import faulty_relay
import io_checks
import place
import porter
import release_check
from faulty_relay import RECEIVED, SENT, Fault, FaultyRelay, Moment
from place import Place
from release_check import INPLACE, RELEASES, require
from tracer import tasks_below

IDLE = 2  # seconds, [deploy] idle_timeout
LONG_IDLE = 300  # a connection is then made anew long before the agent of the broken one ends
BULK = 400 * 1024  # random, so that a run has some traffic
# docs/hosts-and-ssh.md, Deadlines
CONNECT, LOG_IN, AGENT_GRACE = 15, 60, 8
ALLOWANCE = 20  # for a busy machine


def client_deadline(idle):
    """Either it is on its way up, or it notices, connects again, and waits for what the broken connection holds."""
    return max(CONNECT + LOG_IN, idle + CONNECT + idle / 2 + 20) + ALLOWANCE


def agent_deadline(idle):
    return idle + AGENT_GRACE + ALLOWANCE


ENDING = ("cut", "half", "reset")  # each end can tell at once
SILENT = ("drop", "one-way", "jam", "trickle", "freeze-agent", "freeze-sshd")  # only deadlines tell

WHAT = "\n".join(line for line in faulty_relay.__doc__.splitlines() if line.startswith("    "))


class Hang(release_check.Violation):
    """Somebody is still there after the deadline."""


class WrongSuccess(release_check.Violation):
    """Exit 0, and it is not so."""


class NetworkPlace(Place):
    """A target behind a relay."""

    def __init__(self, layout, idle):
        super().__init__(layout, far=True, extra="[deploy]\nidle_timeout = %ds\n" % idle)
        self.stopped = []

    def make_far(self):
        self.server = self.sshd()
        self.relay_ = FaultyRelay(self.server.port)
        self.addCleanup(self.relay_.close)
        self.trust(self.server.known_hosts_line(self.relay_.port))
        self.ssh_config("there", self.server, self.relay_.port)

    def prepare(self):
        self.make_old_live()
        self.write("NEW/src/data/bulk", os.urandom(BULK))
        self.use("NEW")
        self.seals, self.commits, self.live = len(self.look().sealed()), self.count_commits(), self.live_tree()

    # --- what a Moment asks for ---

    def live_tree(self):
        link = self.site() / ("current" if self.layout == RELEASES else ".porter/live")
        return os.readlink(link) if os.path.lexists(link) else ""

    def count_commits(self):
        return (self.site() / ".porter/history").read_text().count("action=commit")

    def is_staging(self):
        if self.layout == INPLACE:
            return bool(release_check.names(self.site() / ".porter/staging"))
        return bool(release_check.names(self.site() / "releases") - self.look().sealed())

    def is_sealed(self):
        return len(self.look().sealed()) > self.seals

    def is_switched(self):
        return self.live_tree() != self.live

    def is_committed(self):
        return self.count_commits() > self.commits

    # --- processes of the target ---

    def far_processes(self, of):
        """The agent, or what the server started for the connection; whose environment does not show."""
        for pid in tasks_below(self.server.process.pid) - {self.server.process.pid}:
            words = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode()
            if place.is_server(words) if of == "sshd" else "porter-agent" in words:
                yield pid

    def freeze(self, of):
        self.stopped = list(self.far_processes(of))
        for pid in self.stopped:
            porter.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.stopped:
            porter.kill(pid, signal.SIGCONT)
        self.stopped = []

    def close(self, keep=False):
        self.thaw()
        super().close(keep)


# The first piece that travels in this direction while this holds.
PLACES = {"sending": (SENT, NetworkPlace.is_staging), "seal answered": (RECEIVED, NetworkPlace.is_sealed),
          "activate asked": (SENT, NetworkPlace.is_sealed), "activate answered": (RECEIVED, NetworkPlace.is_switched),
          "commit asked": (SENT, NetworkPlace.is_switched), "commit answered": (RECEIVED, NetworkPlace.is_committed)}
KEY_EXCHANGE = "received:1000"


class Case:
    """KIND/WHERE[/lasting]; WHERE is a name of PLACES or DIRECTION:BYTE."""

    def __init__(self, name):
        self.name = name
        self.kind, self.where, *rest = name.split("/")
        self.lasting = rest == ["lasting"]

    def moment(self, where):
        if self.where in PLACES:
            direction, holds = PLACES[self.where]
            return Moment(direction, holds=lambda: holds(where))
        direction, _, byte = self.where.partition(":")
        return Moment(direction, byte=int(byte))

    def fault(self, where):
        kind, _, whom = self.kind.partition("-")
        if kind != "freeze":
            kind = self.kind
        return Fault(kind, self.moment(where), self.lasting, lambda: where.freeze(whom))


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.outcomes = collections.Counter()  # (kind, exit code, verdict)
        self.missed, self.slowest = 0, {}  # idle → client, agent
        self.problems = collections.Counter()
        self.failures = []

    def add(self, kind, code, verdict):
        with self.lock:
            self.outcomes[(kind, code, verdict)] += 1

    def miss(self):
        with self.lock:
            self.missed += 1

    def took(self, idle, *seconds):
        with self.lock:
            self.slowest[idle] = tuple(map(max, self.slowest.get(idle, seconds), seconds))

    def fail(self, name, problem, folder):
        with self.lock:
            self.failures.append(name)
            self.problems[type(problem)] += 1
            print("FAILED %s: %s\n  kept: %s" % (name, problem, folder), flush=True)

    def show(self):
        print("\n%-14s %6s  %s" % ("fault", "cases", "exit code and what was live then"))
        for kind in sorted({kind for kind, _, _ in self.outcomes}):
            of_kind = {key[1:]: count for key, count in self.outcomes.items() if key[0] == kind}
            print("%-14s %6d  %s" % (kind, sum(of_kind.values()), ", ".join(
                "%s %s: %d" % (code, verdict, count) for (code, verdict), count in sorted(of_kind.items()))))
        hangs, wrong = self.problems[Hang], self.problems[WrongSuccess]
        print("all: %d cases, %d beyond the end of the run; published halves: %d, hangs: %d, wrong successes: %d" % (
            sum(self.outcomes.values()), self.missed, len(self.failures) - hangs - wrong, hangs, wrong))
        for idle, (client, agent) in sorted(self.slowest.items()):
            print("idle_timeout %d s: the slowest client ended %.1f s after the fault, %d allowed; the slowest agent %.1f s, "
                  "%d allowed" % (idle, client, client_deadline(idle), agent, agent_deadline(idle)))


def require_end(what, running, since, seconds):
    """Gives back how long it took."""
    while running():
        if time.monotonic() - since > seconds:
            raise Hang("%s still there %s s after the fault: %s" % (what, seconds, running()))
        time.sleep(0.005)
    return time.monotonic() - since


class AgentWatch(threading.Thread):
    """How long the agents stay that are there when a fault strikes; a new connection may bring others."""

    def __init__(self, place, seconds):
        super().__init__()
        self.pids = [pid for pid, words in place.running() if "porter-agent" in words]
        self.since, self.seconds, self.took = time.monotonic(), seconds, None

    def left(self):
        return [pid for pid in self.pids if os.path.exists("/proc/%d" % pid)]

    def run(self):
        while self.left():
            if time.monotonic() - self.since > self.seconds:
                return
            time.sleep(0.02)
        self.took = time.monotonic() - self.since


class Lane:
    """One thread's place, made anew after a failure."""

    def __init__(self, layout, tally, idle=IDLE):
        self.layout, self.tally, self.idle, self.place = layout, tally, idle, None

    def close(self, keep=False):
        if self.place:
            self.place.close(keep)
        self.place = None

    def traffic(self):
        """Bytes of a run that is not hurt: sent, received."""
        self.ready()
        self.place.relay_.reset()
        self.place.plain_deploy()
        return {SENT: self.place.relay_.sent, RECEIVED: self.place.relay_.received}

    def ready(self):
        self.place = self.place or NetworkPlace(self.layout, self.idle)
        self.place.prepare()

    def run(self, case):
        talk = ""
        try:
            self.ready()
            fault = case.fault(self.place)
            self.place.relay_.arm(fault)
            code, talk = self.hurt(fault)
            verdict = self.after(case, fault, code, talk)
            if fault.struck.is_set():
                self.tally.add(case.kind, code, verdict)
            else:
                self.tally.miss()
        except (AssertionError, OSError) as problem:
            self.tally.fail(case.name, type(problem)("%s\n  it said: %s" % (problem, talk.strip())),
                            self.place.folder if self.place else "-")
            self.close(keep=True)

    def hurt(self, fault):
        """The run, which nobody ends but itself."""
        def during(process):
            while process.poll() is None:
                if fault.struck.wait(0.02):
                    break
            self.struck_at = time.monotonic()
            self.agents = AgentWatch(self.place, agent_deadline(self.idle))
            self.agents.start()
            client = [process.pid]
            self.client_took = require_end("the client", lambda: process.poll() is None and client, self.struck_at,
                                           client_deadline(self.idle))
        return self.place.run_under([], during=during)

    def after(self, case, fault, code, talk):
        where = self.place
        self.tally.took(self.idle, self.client_took, self.agent_end())
        self.require_honest(case, fault, code, talk)
        verdict = where.judge(code, unhealthy=False, hit=fault.struck.is_set())
        where.relay_.heal()
        where.recover(verdict)
        return verdict

    def agent_end(self):
        """Gives back how long the agent took."""
        where, stopped = self.place, bool(self.place.stopped)
        where.thaw()  # a process that is stopped can keep no deadline: its time begins now
        began = time.monotonic()
        rest = require_end("the agent or its lock", lambda: where.running() or io_checks.lock_is_held(where.site()),
                           began, agent_deadline(self.idle))
        self.agents.join()
        if stopped:
            return rest
        if self.agents.took is None:
            raise Hang("the agent was still there %s s after the fault: %s" % (self.agents.seconds, self.agents.pids))
        return self.agents.took

    def require_honest(self, case, fault, code, talk):
        """What the exit code says, beside what Place.judge() asks."""
        live = self.place.look().verdict()
        if code == porter.OK and not (live == "NEW" and self.place.is_committed()):
            raise WrongSuccess("exit 0, and %s is live, %scommitted" % (live, "" if self.place.is_committed() else "not "))
        if not fault.struck.is_set():
            return
        require(code in (porter.OK, porter.SOME_FAILED, porter.NOTHING_ACTIVATED, porter.ROLLED_BACK,
                         porter.ROLLBACK_FAILED, porter.UNREACHABLE), "exit %s", code)
        require(code == porter.OK or "error[" in talk, "exit %s without an error", code)
        require(code != porter.SOME_FAILED or live == "NEW", "exit 4, and %s is live", live)
        # An agent that is stopped keeps its lock; else a new connection can put things right.
        require(code != porter.ROLLBACK_FAILED or case.lasting or case.kind == "freeze-agent", "nobody tried again")
        require(code != porter.UNREACHABLE or live == self.place.before, "exit 8, and %s is live", live)


class Campaign:
    def __init__(self, arguments):
        self.jobs, self.random, self.tally = arguments.jobs, random.Random(arguments.seed), Tally()

    def traffic(self, layout):
        lane = Lane(layout, self.tally)
        try:
            return lane.traffic()
        finally:
            lane.close()

    def sweep(self, layout, names, idle=IDLE):
        """All cases, several lanes at once: most of their time is waiting."""
        began, cases = time.monotonic(), queue.SimpleQueue()
        for name in names:
            cases.put(Case(name))

        def work():
            lane = Lane(layout, self.tally, idle)
            try:
                while True:
                    lane.run(cases.get_nowait())
            except queue.Empty:
                pass
            finally:
                lane.close()

        threads = [threading.Thread(target=work) for _ in range(min(self.jobs, len(names)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("%s, idle_timeout %d s: %d cases, %.0f s" % (layout, idle, len(names), time.monotonic() - began), flush=True)


def spaced(total, count):
    """Bytes that lie closer and closer towards both ends: the beginning is the login, the end the switch."""
    half = count // 2
    steps = [int((total / 2) ** (each / half)) for each in range(half)]
    return [step - 1 for step in steps] + [total - step for step in steps]


def at_bytes(kinds, traffic, count):
    places = ["%s:%d" % (way, byte) for way in (SENT, RECEIVED) for byte in spaced(traffic[way], count // 2)]
    return ["%s/%s" % (kinds[number % len(kinds)], where) for number, where in enumerate(places)]


def quick(campaign):
    names = ["%s/%s" % (kind, where) for number, where in enumerate(PLACES) for kind in SILENT[number % 2::2]]
    names += ["trickle/" + KEY_EXCHANGE, "drop/activate answered/lasting"]
    campaign.sweep(RELEASES, names + at_bytes(ENDING, campaign.traffic(RELEASES), 40))


def long(campaign):
    for layout in (RELEASES, INPLACE):
        traffic = campaign.traffic(layout)
        names = ["%s/%s" % (kind, where) for where in PLACES for kind in ENDING + SILENT]
        names += ["%s/%s/lasting" % (kind, where) for where in PLACES for kind in ("cut", "drop", "jam")]
        names += ["%s/%s" % (kind, KEY_EXCHANGE) for kind in SILENT]
        names += at_bytes(ENDING, traffic, 60)
        for way in (SENT, RECEIVED):
            names += ["%s/%s:%d" % (campaign.random.choice(ENDING + SILENT), way, campaign.random.randrange(traffic[way]))
                      for _ in range(60)]
        campaign.sweep(layout, names)
    campaign.sweep(RELEASES, ["%s/%s" % (kind, where) for kind in ("drop", "freeze-sshd")
                              for where in ("sending", "activate asked", "activate answered")], LONG_IDLE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--replay", metavar="NAME")
    parser.add_argument("--layout", choices=(RELEASES, INPLACE), default=RELEASES, help="of a replay")
    parser.add_argument("--idle", type=int, default=IDLE, help="idle_timeout of a replay")
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    if not porter.sshd_program():
        print("SKIPPED: no sshd on this machine", file=sys.stderr, flush=True)
        sys.exit(io_checks.SKIPPED_ALL)
    print(WHAT, "seed %d, %d jobs, %s" % (arguments.seed, arguments.jobs, porter.ADMIN), sep="\n", flush=True)
    campaign = Campaign(arguments)
    if arguments.replay:
        campaign.sweep(arguments.layout, [arguments.replay], arguments.idle)
    else:
        (long if arguments.long else quick)(campaign)
    campaign.tally.show()
    sys.exit(1 if campaign.tally.failures or not campaign.tally.outcomes else 0)


if __name__ == "__main__":
    main()
