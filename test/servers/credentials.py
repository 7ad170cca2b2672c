#!/usr/bin/python3 -I
"""The endpoint that gives a container credentials, as clouds have it.

    credentials.py start FOLDER --key KEY --secret SECRET [--session TOKEN] [--authorization WORD]
    credentials.py stop FOLDER

start prints CREDENTIALS_URL and CREDENTIALS_LOG, a file with a line "PATH STATUS" for each request. Who does not bring WORD as
Authorization is refused. What is given first has expired already; then it is good for an hour.
"""
import argparse
import http.server
import json
import os
import select
import signal
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    options, folder, asked = None, None, 0

    def do_GET(self):
        refused = self.options.authorization and self.headers["Authorization"] != self.options.authorization
        body = b"{}"
        if not refused:
            Handler.asked += 1
            ends = time.time() + (-60 if Handler.asked == 1 else 3600)
            answer = {"AccessKeyId": self.options.key, "SecretAccessKey": self.options.secret,
                      "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))}
            if self.options.session:
                answer["Token"] = self.options.session
            # As some write it: a slash may have a backslash before it.
            body = json.dumps(answer).replace("/", "\\/").encode()
        with open(f"{self.folder}/requests", "a") as log:
            log.write(f"{self.path} {403 if refused else 200}\n")
        self.send_response(403 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start(options):
    Handler.options, Handler.folder = options, options.folder
    os.makedirs(options.folder, exist_ok=True)
    open(f"{options.folder}/requests", "w").close()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pid = os.fork()
    if pid:
        with open(f"{options.folder}/pid", "w") as file:
            file.write(str(pid))
        print(f"CREDENTIALS_URL=http://127.0.0.1:{server.server_port}/role\nCREDENTIALS_LOG='{options.folder}/requests'")
        return
    os.setsid()
    for fd in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    for fd in range(3, 10):
        if fd != server.fileno():
            try:
                os.close(fd)
            except OSError:
                pass
    server.serve_forever()


def stop(options):
    try:
        fd = os.pidfd_open(int(open(f"{options.folder}/pid").read()))
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except (OSError, ValueError):
        return
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["start", "stop"])
    parser.add_argument("folder")
    for name in ("key", "secret", "session", "authorization"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    (start if options.command == "start" else stop)(options)


sys.exit(main())
