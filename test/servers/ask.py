#!/usr/bin/python3 -I
"""Asks a store helper, as jl does, and holds it to the protocol (docs/formats/helper.md), which is written down here once more.

    ask.py [NAME=VALUE ...] URL REQUEST...

NAME=VALUE are settings for the helper. All requests are made at once, ids in order; then each says one line, in order:

    head=NAME               head NAME ok SIZE
    get=NAME[@FROM]         get NAME ok BYTES SHA256 (from the byte FROM on)
    put=NAME:FILE           put NAME ok
    get-cancel=NAME         gives up when the first bytes came
    get-hold=NAME           takes no more than 1 MiB, and gives up when all the others are done
    put-cancel=NAME:FILE    gives up after half of it
    put-short=NAME:FILE     says END after half of it        put-long=NAME:FILE   sends a byte more than it said
    put-leave=NAME:FILE     goes away after half of it: the helper's input ends (a last request: nothing is awaited)

A name goes out as it is, also one that is none: then the helper ends, and nothing is said of the rest but "nothing".
or "OP NAME KIND TEXT" for an error: not_found, refused, temporary, permanent. FOUND's size is in SIZE, "?" when it is not known.
Last comes "end STATUS" with what the helper said on stderr, if it said something or its status is not 0. Exit status: 0, what
ever came; 3 the helper broke the protocol, told on stderr. $ASK_HELPER is the program, else the one that jl would take.
$ASK_RSS=FILE: the helper's peak of memory in KiB is written there.
"""
import hashlib
import os
import selectors
import struct
import subprocess
import sys

HELLO, GET, HEAD, PUT, DATA, END, CANCEL, CREDIT, FOUND, ERROR = range(1, 11)
KINDS = {1: "not_found", 2: "refused", 3: "temporary", 4: "permanent"}
PIECE, WINDOW, UNKNOWN = 65536, 1 << 20, 2**64 - 1
OUT_MAX = 1 << 20


class Broken(Exception):
    pass


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def message(kind, ident, *fields):
    body = struct.pack("<BI", kind, ident) + b"".join(fields)
    return struct.pack("<I", len(body)) + body


class Request:
    def __init__(self, ident, word):
        self.id = ident
        self.op, _, rest = word.partition("=")
        self.file = self.data = None
        self.start = 0
        if self.op.startswith("put"):
            self.name, _, path = rest.rpartition(":")
            self.file = open(path, "rb")
            self.size = os.fstat(self.file.fileno()).st_size
            self.stop = {"put": self.size, "put-long": self.size}.get(self.op, self.size // 2)
        else:
            self.name, _, start = rest.partition("@")
            self.start = int(start or 0)
        self.sent = self.credit = self.owed = 0
        self.got, self.sum = 0, hashlib.sha256()
        self.found, self.cancelled, self.finished, self.said = None, False, False, None

    def begin(self):
        self.credit = WINDOW if self.file else 0
        if self.file:
            return message(PUT, self.id, struct.pack("<Q", self.size), text(self.name))
        if self.op == "head":
            return message(HEAD, self.id, text(self.name))
        self.owed = WINDOW
        return message(GET, self.id, struct.pack("<Q", self.start), text(self.name))

    def more(self):
        """The next bytes to send, None when there are none now."""
        if not self.file or self.finished or self.said or self.cancelled:
            return None
        if self.sent == self.stop:
            self.finished = True
            if self.op == "put-leave":
                return b""
            if self.op == "put-cancel":
                self.cancelled = True
                return message(CANCEL, self.id)
            if self.op == "put-long":
                self.credit -= 1
                return message(DATA, self.id, b"x") + message(END, self.id)
            return message(END, self.id)
        room = min(PIECE, self.credit, self.stop - self.sent)
        if not room:
            return None
        data = self.file.read(room)
        self.sent += len(data)
        self.credit -= len(data)
        return message(DATA, self.id, data)

    def take(self, kind, body):
        """What it answers; returns what is to be sent for it."""
        if self.said:
            raise Broken(f"message {kind} after the end of {self.id}")
        if kind == ERROR:
            (number,) = struct.unpack_from("<I", body)
            self.said = f"{KINDS[number]} {body[4:].decode()}"
        elif kind == CREDIT and self.file:
            (count,) = struct.unpack("<I", body)
            self.credit += count
            if self.credit > WINDOW:
                raise Broken("credit for more than was sent")
        elif kind == FOUND and not self.file and self.found is None:
            (self.found,) = struct.unpack_from("<Q", body)
        elif kind == DATA and self.op.startswith("get") and self.found is not None:
            if not 0 < len(body) <= PIECE or len(body) > self.owed:
                raise Broken(f"{len(body)} bytes with credit for {self.owed}")
            self.owed -= len(body)
            self.got += len(body)
            self.sum.update(body)
            if self.op == "get-cancel" and not self.cancelled:
                self.cancelled = True
                return message(CANCEL, self.id)
            if not self.cancelled and self.op != "get-hold":
                self.owed += len(body)
                return message(CREDIT, self.id, struct.pack("<I", len(body)))
        elif kind == END and (self.file or self.found is not None):
            self.end()
        else:
            raise Broken(f"message {kind} for {self.op}")
        return b""

    def end(self):
        size = "?" if self.found == UNKNOWN else self.found
        if self.file and (not self.finished or self.stop != self.size or self.op == "put-long"):
            raise Broken("END before all was sent")
        if self.op == "head":
            self.said = f"ok {size}"
        elif self.file:
            self.said = "ok"
        elif self.found not in (UNKNOWN, self.got + self.start):
            # A server that says too much; jl would take it for cut.
            self.said = f"temporary {self.got} bytes of {self.found}"
        else:
            self.said = f"ok {self.got} {self.sum.hexdigest()}"


def program(url):
    scheme = url.split(":", 1)[0]
    name = {"https": "http", "s3": "http"}.get(scheme, scheme)
    return os.environ.get("ASK_HELPER") or f"{os.environ['JL_BUILD']}/libexec/jl/jl-store-{name}"


def settings(words):
    return b"".join(text(part) for word in words for part in word.split("=", 1))


class Session:
    def __init__(self, helper, requests, hello):
        self.helper = helper
        self.requests = requests
        self.out = hello
        self.buffer = b""
        self.welcome = False
        self.closed = None
        self.leave = False
        os.set_blocking(helper.stdin.fileno(), False)

    def fill(self):
        while self.welcome and len(self.out) < OUT_MAX and not self.leave:
            parts = [part for request in self.requests if (part := request.more()) is not None]
            self.leave = any(r.op == "put-leave" and r.finished for r in self.requests)
            if not parts:
                break
            self.out += b"".join(parts)

    def take(self):
        while len(self.buffer) >= 4:
            (length,) = struct.unpack_from("<I", self.buffer)
            if not 5 <= length <= 131068:
                raise Broken(f"a message of {length} bytes")
            if len(self.buffer) < 4 + length:
                break
            kind, ident = struct.unpack_from("<BI", self.buffer, 4)
            body, self.buffer = self.buffer[9:4 + length], self.buffer[4 + length:]
            if not self.welcome:
                if kind == HELLO:
                    self.welcome = True
                    (version,) = struct.unpack_from("<Q", body, 4)
                    if version != 1:
                        raise Broken(f"version {version}")
                    self.out += b"".join(request.begin() for request in self.requests)
                elif kind == ERROR and ident == 0:
                    self.closed = body[4:].decode()
                    return
                else:
                    raise Broken(f"message {kind} before the hello")
                continue
            request = next((r for r in self.requests if r.id == ident), None)
            if not request:
                raise Broken(f"message {kind} for {ident}, which is none")
            self.out += request.take(kind, body)

    def let_go(self):
        held = [r for r in self.requests if r.op == "get-hold" and not r.said and not r.cancelled and r.got]
        if held and all(r.said or r in held for r in self.requests):
            for request in held:
                request.cancelled = True
                self.out += message(CANCEL, request.id)

    def run(self):
        sel = selectors.DefaultSelector()
        sel.register(self.helper.stdout, selectors.EVENT_READ)
        writing = False
        while not self.closed and not all(r.said for r in self.requests):
            self.fill()
            self.let_go()
            if self.leave and not self.out:
                break
            if bool(self.out) != writing:
                writing = bool(self.out)
                (sel.register(self.helper.stdin, selectors.EVENT_WRITE) if writing else sel.unregister(self.helper.stdin))
            for key, _ in sel.select():
                if key.fileobj is self.helper.stdin:
                    try:
                        self.out = self.out[os.write(self.helper.stdin.fileno(), self.out[:OUT_MAX]):]
                    except BrokenPipeError:
                        self.out = b""
                    continue
                data = os.read(self.helper.stdout.fileno(), 1 << 18)
                if not data:
                    return
                self.buffer += data
                self.take()


def main():
    words = sys.argv[1:]
    n = next(i for i, word in enumerate(words) if "://" in word or word.startswith("rclone:"))
    given, url, ops = words[:n], words[n], words[n + 1:]
    requests = [Request(i + 1, word) for i, word in enumerate(ops)]
    helper = subprocess.Popen([program(url)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    hello = message(HELLO, 0, struct.pack("<IQ", 0, 1), text(url), settings(given))
    session = Session(helper, requests, hello)
    status = 0
    try:
        session.run()
    except Broken as err:
        print(f"ask.py: {err}", file=sys.stderr)
        status = 3
    if os.environ.get("ASK_RSS"):
        peak = next(line for line in open(f"/proc/{helper.pid}/status") if line.startswith("VmHWM"))
        open(os.environ["ASK_RSS"], "w").write(peak.split()[1])
    helper.stdin.close()
    helper.stdout.close()
    said = helper.stderr.read().decode().rstrip("\n")
    code = helper.wait()
    for request in requests:
        print(request.op, request.name, request.said or "nothing")
    if session.closed:
        print("closed", session.closed)
    if said or code:
        print(f"end {code}{' ' if said else ''}{said}")
    sys.exit(status)


main()
