#!/usr/bin/python3 -I
"""A proxy in front of any server, which delays, cuts, stalls and lies as it is told while it runs.

    proxy.py start FOLDER --to HOST:PORT [--http] [--cert PEM]
    proxy.py stop FOLDER

start prints PROXY_PORT and PROXY_CONTROL, a port that takes one command a connection: its words one a line, then an empty
line; the answer ends with the connection. Commands: "set [KEY=VALUE ...]" replaces the fault, "stats" prints
"NAME N" lines: connections, requests, faults, up, down (bytes to the server, to the client).

What passes is bytes; with --http the proxy reads HTTP/1.1, speaks TLS to its clients with --cert (certificate and key), notes
each request as "METHOD TARGET STATUS [RANGE] [session:TOKEN]" (a signed token of S3) in FOLDER/requests, and knows the second kind of faults.

of bytes, counted from the fault's beginning in each connection:
    delay=MS        each way        rate=N      bytes a second to the client
    cut=N           after N bytes to the client the connection is reset; cut_up=N: to the server
    truncate=N      after N bytes to the client the connection ends in order
    stall=N         after N bytes to the client nothing passes any more, either way, until the fault is replaced
    refuse=1        nobody listens, connections that are there are reset
of HTTP:
    status=N        this answer, the server does not see the request (retry_after=S: with that header)
    page=1          200 and an HTML page         redirect=URL   302 to URL, and the request's target behind it
    length=N        the answer's Content-Length is N more or less, its body the same
    body=N          the connection ends after N bytes of the body
    flip=N          byte N of the body is another
for which:
    only=REGEX      of HTTP: requests whose "METHOD TARGET" matches
    times=N         the next N requests (faults of HTTP) or connections (of bytes); the rest is well
"""
import argparse
import asyncio
import os
import re
import select
import signal
import socket
import ssl
import struct
import sys
import time

BYTES = {"delay", "rate", "cut", "cut_up", "truncate", "stall", "refuse"}
HTTP = {"status", "retry_after", "page", "redirect", "length", "body", "flip"}
TEXT = {"redirect", "only"}
CHUNK = 1 << 16
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to this network.</body></html>\n"


class Gone(Exception):
    """The connection is to be given up."""


class Fault:
    """What is wrong at present: fixed, but for how often it still happens."""

    def __init__(self, words=()):
        for key in BYTES | HTTP | {"only", "times"}:
            setattr(self, key, None)
        for word in words:
            key, _, value = word.partition("=")
            if key not in BYTES | HTTP | {"only", "times"}:
                raise ValueError(f"no fault is called {key}")
            setattr(self, key, value if key in TEXT else int(value))
        self.http = any(getattr(self, key) is not None for key in HTTP)
        self.left = self.times
        self.replaced = asyncio.Event()

    def take(self):
        """One of its times; False when there are no more."""
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


class Proxy:
    def __init__(self, options, folder, port):
        self.to = options.to.rsplit(":", 1)
        self.http = options.http
        self.tls = None
        if options.cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.cert)
        self.port = port
        self.requests = open(os.path.join(folder, "requests"), "a", buffering=1)
        self.stats = dict.fromkeys(("connections", "requests", "faults", "up", "down"), 0)
        self.links = set()
        self.server = None

    async def run(self, control):
        self.well = self.fault = Fault()
        await asyncio.start_server(self.command, sock=control)
        await self.listen()
        await asyncio.Event().wait()

    async def listen(self):
        self.server = await asyncio.start_server(
            self.connected, sock=bound(self.port), ssl=self.tls, backlog=1000, limit=CHUNK)

    async def command(self, reader, writer):
        words = []
        while word := (await reader.readline()).decode().rstrip("\n"):
            words.append(word)
        answer = ""
        try:
            if words[:1] == ["set"]:
                fault, old = Fault(words[1:]), self.fault
                self.fault = fault
                old.replaced.set()
                await self.refuse(fault.refuse)
            elif words == ["stats"]:
                answer = "".join(f"{name} {n}\n" for name, n in self.stats.items())
            else:
                answer = "error: set or stats\n"
        except ValueError as err:
            answer = f"error: {err}\n"
        writer.write(answer.encode())
        writer.close()

    async def refuse(self, on):
        if on and self.server:
            self.server.close()
            self.server = None
            for link in list(self.links):
                link.reset()
        elif not on and not self.server:
            await self.listen()

    async def connected(self, reader, writer):
        self.stats["connections"] += 1
        link = Link(self, reader, writer)
        self.links.add(link)
        try:
            await (link.serve_http() if self.http else link.serve_bytes())
        except (Gone, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            link.close()
            self.links.discard(link)


class Link:
    """One client's connection, and ours to the server."""

    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.reader = {"up": reader}
        self.writer = {"down": writer}
        self.sent = {"up": 0, "down": 0}
        self.seen = None

    def fault(self):
        """The fault of bytes that holds for this connection now."""
        fault = self.proxy.fault
        if self.seen is not fault:
            self.seen = fault
            self.base = dict(self.sent)
            self.hit = fault.http or fault.take()
            if self.hit and not fault.http and fault is not self.proxy.well:
                self.proxy.stats["faults"] += 1
        return fault if self.hit else self.proxy.well

    async def connect(self):
        self.reader["down"], self.writer["up"] = await asyncio.open_connection(*self.proxy.to, limit=CHUNK)

    def close(self):
        for writer in self.writer.values():
            writer.close()

    def reset(self):
        for writer in self.writer.values():
            sock = writer.get_extra_info("socket")
            if sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def send(self, way, data):
        """Pass bytes on, as far as the fault lets them. No bytes: the way's end."""
        end = not data
        while data or end:
            fault = self.fault()
            passed = {way: self.sent[way] - self.base[way] for way in self.sent}
            if fault.stall is not None and passed["down"] >= fault.stall:
                await fault.replaced.wait()
                continue
            if end:
                if self.writer[way].can_write_eof():
                    self.writer[way].write_eof()
                return
            limits = [fault.cut_up] if way == "up" else [fault.cut, fault.truncate, fault.stall]
            room = min([len(data)] + [limit - passed[way] for limit in limits if limit is not None])
            if way == "down" and fault.rate:
                room = min(room, max(1, fault.rate // 50))
            if room > 0:
                self.writer[way].write(data[:room])
                await self.writer[way].drain()
                self.sent[way] += room
                self.proxy.stats[way] += room
                data = data[room:]
                if way == "down" and fault.rate:
                    await asyncio.sleep(room / fault.rate)
            elif way == "down" and fault.truncate is not None and passed["down"] >= fault.truncate:
                raise Gone
            else:
                self.reset()
                raise Gone

    # --- bytes

    async def serve_bytes(self):
        self.fault()
        await self.connect()
        ways = [asyncio.ensure_future(self.pump(way)) for way in ("up", "down")]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()

    async def pump(self, way):
        # What was read goes on when its time has come: a delay must not be a limit of the rate.
        queue = asyncio.Queue(64)
        writing = asyncio.ensure_future(self.deliver(way, queue))
        try:
            data = b"-"
            while data:
                data = await self.reader[way].read(CHUNK)
                await queue.put((time.monotonic() + (self.fault().delay or 0) / 1000, data))
                if writing.done():
                    break
            await writing
        finally:
            writing.cancel()

    async def deliver(self, way, queue):
        data = b"-"
        while data:
            due, data = await queue.get()
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await self.send(way, data)

    # --- HTTP

    async def serve_http(self):
        while await self.serve_request():
            pass

    async def read_head(self, way):
        """The first line's words and the fields as (name, value); None at the end."""
        try:
            head = await self.reader[way].readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as err:
            if err.partial:
                raise
            return None
        lines = head.decode("latin-1").split("\r\n")[:-2]
        return lines[0].split(" ", 2), [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    async def serve_request(self):
        """Answer one request; False when the connection is done."""
        proxy = self.proxy
        head = await self.read_head("up")
        if not head:
            return False
        (method, target, _), fields = head
        fault = proxy.fault
        wrong = fault.http and (not fault.only or re.search(fault.only, f"{method} {target}")) and fault.take()
        proxy.stats["requests"] += 1
        proxy.stats["faults"] += bool(wrong)
        if not wrong:
            fault = proxy.well
        await self.delay()
        if fault.status or fault.page or fault.redirect:
            self.note(method, target, fault.status or (200 if fault.page else 302), fields)
            await self.delay()
            return await self.answer(method, target, fields, fault)
        await self.connect()
        sending = asyncio.ensure_future(self.forward_request(method, target, fields))
        try:
            status = 100
            while status < 200:
                head = await self.read_head("down")
                if not head:
                    raise Gone
                (version, status, *reason), answer = head
                status = int(status)
                if status < 200:
                    await self.send("down", format_head([version, str(status), *reason], answer))
            self.note(method, target, status, fields)
            await self.delay()
            bare = method == "HEAD" or status in (204, 304)
            framed = await self.forward_answer([version, str(status), *reason], answer, bare, fault)
            return framed and sending.done() and get(fields, "connection").lower() != "close"
        finally:
            sending.cancel()
            self.writer.pop("up").close()

    def note(self, method, target, status, fields):
        session = get(fields, "x-amz-security-token")
        if session and "x-amz-security-token" in get(fields, "authorization"):
            session = f"session:{session}"
        self.proxy.requests.write(" ".join(filter(None, [method, target, str(status), get(fields, "range"), session])) + "\n")

    async def delay(self):
        if self.fault().delay:
            await asyncio.sleep(self.fault().delay / 1000)

    async def forward_request(self, method, target, fields):
        kept = [field for field in fields if field[0].lower() != "connection"]
        await self.send("up", format_head([method, target, "HTTP/1.1"], kept + [("Connection", "close")]))
        async for data in self.body("up", fields, until_end=False):
            await self.send("up", data)

    async def forward_answer(self, line, fields, bare, fault):
        """False when the connection has to end with the body."""
        fields = [field for field in fields if field[0].lower() != "connection"]
        framed = bare or get(fields, "content-length") != "" or get(fields, "transfer-encoding") != ""
        cut = fault.body is not None and not bare
        if fault.length is not None:
            fields = [(name, str(max(0, int(value) + fault.length)) if name.lower() == "content-length" else value)
                      for name, value in fields]
        if not framed or cut or fault.length:
            framed = False
            fields.append(("Connection", "close"))
        await self.send("down", format_head(line, fields))
        passed = 0
        if not bare:
            true = fields if fault.length is None else [
                (name, str(int(value) - fault.length) if name.lower() == "content-length" else value)
                for name, value in fields]
            async for data in self.body("down", true, until_end=True):
                if fault.flip is not None and passed <= fault.flip < passed + len(data):
                    at = fault.flip - passed
                    data = data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:]
                if cut and passed + len(data) > fault.body:
                    if fault.body > passed:
                        await self.send("down", data[:fault.body - passed])
                    raise Gone
                passed += len(data)
                await self.send("down", data)
        return framed

    async def body(self, way, fields, until_end):
        """The bytes of a body as they are written, chunks with their frames."""
        reader = self.reader[way]
        if "chunked" in get(fields, "transfer-encoding").lower():
            size = 1
            while size:
                line = await reader.readuntil(b"\r\n")
                size = int(line.split(b";")[0], 16)
                yield line + await reader.readexactly(size + 2)
        elif (length := get(fields, "content-length")) != "":
            left = int(length)
            while left > 0:
                data = await reader.read(min(left, CHUNK))
                if not data:
                    raise Gone
                left -= len(data)
                yield data
        elif until_end:
            while data := await reader.read(CHUNK):
                yield data

    async def answer(self, method, target, fields, fault):
        # Who waits for leave to send a body is answered at once and sends none.
        waits = get(fields, "expect") != ""
        if not waits:
            async for _ in self.body("up", fields, until_end=False):
                pass
        status, body, more = fault.status, b"out of order\n", []
        if fault.page:
            status, body, more = 200, PAGE, [("Content-Type", "text/html")]
        elif fault.redirect:
            status, body, more = 302, b"", [("Location", fault.redirect.rstrip("/") + target)]
        if fault.retry_after is not None:
            more.append(("Retry-After", str(fault.retry_after)))
        more += [("Content-Length", str(len(body)))] + ([("Connection", "close")] if waits else [])
        await self.send("down", format_head(["HTTP/1.1", str(status), "Proxy"], more))
        if body and method != "HEAD":
            await self.send("down", body)
        return not waits and get(fields, "connection").lower() != "close"


def get(fields, name):
    return next((value for key, value in fields if key.lower() == name), "")


def format_head(line, fields):
    return ("\r\n".join([" ".join(line)] + [f"{name}: {value}" for name, value in fields]) + "\r\n\r\n").encode("latin-1")


def bound(port):
    """A socket on a port that we keep by another one: it stays ours while nobody listens."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def start(folder, options):
    os.makedirs(folder, exist_ok=True)
    kept, control = bound(0), bound(0)
    port = kept.getsockname()[1]
    proxy = Proxy(options, folder, port)
    ready, told = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        with open(os.path.join(folder, "proxy.pid"), "w") as file:
            file.write(f"{pid}\n")
        # The end of the pipe without a byte: it did not come up.
        if not os.read(ready, 1):
            sys.exit(open(os.path.join(folder, "log")).read())
        print(f"PROXY_PORT={port}\nPROXY_CONTROL={control.getsockname()[1]}")
        return
    os.setsid()
    log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    own = {kept.fileno(), control.fileno(), told, proxy.requests.fileno()}
    for fd in range(3, 64):
        if fd not in own:
            try:
                os.close(fd)
            except OSError:
                pass

    async def main():
        running = asyncio.ensure_future(proxy.run(control))
        while not proxy.server and not running.done():
            await asyncio.sleep(0)
        if proxy.server:
            os.write(told, b"+")
        os.close(told)
        await running

    asyncio.run(main())


def stop(folder):
    path = os.path.join(folder, "proxy.pid")
    try:
        pid = int(open(path).read())
        fd = os.pidfd_open(pid)
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (OSError, ValueError):
        return
    os.unlink(path)
    # A pidfd is readable when its process has ended.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("folder")
    parser.add_argument("--to", help="HOST:PORT of the server")
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--cert")
    options = parser.parse_args()
    if options.command == "start":
        start(options.folder, options)
    else:
        stop(options.folder)


main()
