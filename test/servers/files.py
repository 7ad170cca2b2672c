#!/usr/bin/python3 -I
"""Files over HTTP, as a server of data gives them: ETag, Last-Modified, conditions, ranges. Small and quick to start.

    files.py start FOLDER [--no-etag] [--no-range]
    files.py stop FOLDER

start prints FILES_URL and FILES_DATA, the folder that is served. FOLDER/requests has a line a request: METHOD TARGET STATUS BYTES
RANGE IF_NONE_MATCH, "-" for what was not said; BYTES are those of the body that were to be sent.
"""
import argparse
import email.utils
import hashlib
import http.server
import os
import re
import select
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        path = os.path.join(server.data, self.path.split("?")[0].lstrip("/"))
        try:
            with open(path, "rb") as file:
                body = file.read()
            modified = email.utils.formatdate(os.stat(path).st_mtime, usegmt=True)
        except OSError:
            return self.answer(404, b"no such file\n", {})
        fields = {"Last-Modified": modified, "Content-Type": "application/octet-stream"}
        etag = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        if not server.options.no_etag:
            fields["ETag"] = etag
        match, since = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
        if (match and match == fields.get("ETag")) or (not match and since == modified):
            return self.answer(304, b"", fields)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and not server.options.no_range and self.headers.get("If-Range", etag) in (fields.get("ETag", etag), modified):
            begin = int(wanted[1])
            if begin >= len(body):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            fields["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            return self.answer(206, body[begin:], fields)
        return self.answer(200, body, fields)

    def answer(self, status, body, fields):
        # Noted before it goes out: who has the answer finds its line.
        said = [self.command, self.path, status, len(body), self.headers.get("Range", "-"), self.headers.get("If-None-Match", "-")]
        self.server.requests.write(" ".join(map(str, said)) + "\n")
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def handle_error(self, *_):
        pass  # a client that goes away


def start(folder, options):
    os.makedirs(os.path.join(folder, "data"), exist_ok=True)
    server = Server(("127.0.0.1", 0), Handler)
    server.options, server.data = options, os.path.join(folder, "data")
    server.requests = open(os.path.join(folder, "requests"), "a", buffering=1)
    pid = os.fork()
    if pid:
        with open(os.path.join(folder, "files.pid"), "w") as file:
            file.write(f"{pid}\n")
        print(f"FILES_URL=http://127.0.0.1:{server.server_address[1]}\nFILES_DATA='{server.data}'")
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    own = {server.fileno(), server.requests.fileno()}
    for fd in range(3, 64):
        if fd not in own:
            try:
                os.close(fd)
            except OSError:
                pass
    server.serve_forever()


def stop(folder):
    try:
        with open(os.path.join(folder, "files.pid")) as file:
            fd = os.pidfd_open(int(file.read()))
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (OSError, ValueError):
        return
    os.unlink(os.path.join(folder, "files.pid"))
    # A pidfd is readable when its process has ended.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("start", "stop"))
    parser.add_argument("folder")
    parser.add_argument("--no-etag", action="store_true")
    parser.add_argument("--no-range", action="store_true")
    options = parser.parse_args()
    folder = os.path.abspath(options.folder)
    if options.what == "start":
        start(folder, options)
    else:
        stop(folder)
    sys.stdout.flush()


main()
