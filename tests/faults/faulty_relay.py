"""A relay between client and SSH server that goes bad at one exact place: after byte n of one direction, or with the
first piece that comes while something holds on the target. What it then does to the connection is its fault.

    cut      both directions end in order: each side is told so (FIN)
    half     one direction ends in order, the other goes on
    reset    both ends are torn down (RST)
    drop     nothing passes any more, and nobody is told; what is sent is taken and lost
    one-way  the same in one direction; the other goes on
    jam      nothing passes any more, and nothing is taken either: buffers fill up
    trickle  both directions go on, a byte at a time
    freeze   the connection goes on; processes on the target are stopped instead
"""

import os
import select
import socket
import struct
import threading

from io_checks import porter

SENT, RECEIVED = "sent", "received"  # by the client
PIECE = 1 << 16
TRICKLE = 0.05  # seconds for a byte: far below what counts as a sign of life
LOOK = 0.02     # how often a relay that passes nothing looks whether it may go


class Moment:
    """When the fault strikes: after `byte` of a direction, or before the first piece in it while `holds()`."""

    def __init__(self, direction, byte=None, holds=None):
        self.direction, self.byte, self.holds = direction, byte, holds

    def passes_before(self, direction, already, size):
        """How many of `size` bytes still pass before it strikes; None: it does not, and all do."""
        if direction != self.direction:
            return None
        if self.holds:
            return 0 if self.holds() else None
        return max(0, self.byte - already) if already + size > self.byte else None


class Fault:
    """`lasting`: connections that are made later fare no better. `freeze()` is called for that kind."""

    def __init__(self, kind, moment, lasting=False, freeze=None):
        self.kind, self.moment, self.lasting, self.freeze = kind, moment, lasting, freeze
        self.struck = threading.Event()


class Way:
    """One direction of one connection."""

    def __init__(self, name, source, sink):
        self.name, self.source, self.sink = name, source, sink
        self.waiting = b""  # read and not passed on
        self.at_end = False


class FaultyRelay(porter.Relay):
    """One fault at a time: arm() before a run, heal() after it."""

    def __init__(self, port):
        self.fault = None
        super().__init__(port)

    def arm(self, fault):
        self.reset()
        self.fault = fault

    def heal(self):
        """Ends every connection; new ones are as good as any."""
        self.fault = None
        self.cut()

    # --- one connection, on its own thread ---

    def _pump(self, client, server):
        ways = [Way(SENT, client, server), Way(RECEIVED, server, client)]
        try:
            fault = self.fault
            if fault and fault.lasting and fault.struck.is_set():
                self._strike(fault, ways, ways[0])
            else:
                self._pass_on(ways)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _pass_on(self, ways):
        while not all(way.at_end for way in ways):
            sources = {way.source: way for way in ways if not way.at_end}
            for ready in select.select(list(sources), [], [])[0]:
                way = sources[ready]
                data = ready.recv(PIECE)
                fault = self.fault
                passes = self._passes(fault, way, data)
                if passes is None:
                    self._send(way, data)
                    continue
                way.waiting = data[passes:]
                if passes:
                    self._send(way, data[:passes])
                return self._strike(fault, ways, way)

    def _passes(self, fault, way, data):
        if not data or not fault or fault.struck.is_set():
            return None
        already = self.sent if way.name == SENT else self.received
        return fault.moment.passes_before(way.name, already, len(data))

    def _send(self, way, data):
        if not data:
            way.at_end = True
            return way.sink.shutdown(socket.SHUT_WR)
        way.sink.sendall(data)
        with self._lock:
            if way.name == SENT:
                self.sent += len(data)
            else:
                self.received += len(data)

    # --- faults ---

    def _strike(self, fault, ways, way):
        kind = fault.kind
        if kind == "freeze" and not fault.struck.is_set():
            fault.freeze()
        fault.struck.set()
        others = [each for each in ways if each is not way]
        if kind == "cut":
            self._end(ways)
            self._lose(ways, [])
        elif kind == "half":
            self._end([way])
            self._lose([way], others)
        elif kind == "reset":
            for each in ways:
                each.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif kind == "drop":
            self._lose(ways, [])
        elif kind == "one-way":
            self._lose([way], others)
        elif kind == "jam":
            self._hold(ways, fault)
        elif kind == "trickle":
            self._trickle(ways)
        else:
            self._send(way, way.waiting)
            self._pass_on(ways)

    def _end(self, ways):
        for each in ways:
            each.sink.shutdown(socket.SHUT_WR)

    def _lose(self, lost, good):
        """Takes what comes in `lost` and forgets it; passes on what comes in `good`."""
        open_ways = {way.source: way for way in (*lost, *good)}
        while open_ways:
            for ready in select.select(list(open_ways), [], [])[0]:
                way = open_ways[ready]
                data = ready.recv(PIECE)
                if way in good:
                    self._send(way, data)
                if not data:
                    del open_ways[ready]

    def _hold(self, ways, fault):
        """Until somebody heals the relay."""
        while self.fault is fault:
            select.select([], [], [], LOOK)

    def _trickle(self, ways):
        while not all(way.at_end and not way.waiting for way in ways):
            for way in ways:
                if way.waiting:
                    way.sink.sendall(way.waiting[:1])
                    way.waiting = way.waiting[1:]
            sources = {way.source: way for way in ways if not way.at_end}
            for ready in select.select(list(sources), [], [], TRICKLE)[0]:
                way = sources[ready]
                data = ready.recv(PIECE)
                way.waiting += data
                way.at_end = not data
            select.select([], [], [], TRICKLE)
