#!/usr/bin/env python3
"""Print what the records of a store say, one line each, but for what differs from run to run: times, memory, the host.

For tests that compare stores: the same lines mean the same keys, manifests, outputs and logs, byte for byte."""
import hashlib
import struct
import sys
from pathlib import Path

for path in sorted(p for p in Path(sys.argv[1], "ac").glob("*/*") if p.is_file() and not p.name.startswith(".")):
    body = path.read_bytes()[16:-16]
    key = 1 + {1: 16, 2: 32}[body[0]]
    at = key + 5 * 8 + 2 * 4  # created, wall, user, system, memory; exit, signal
    (label,) = struct.unpack_from("<I", body, at)
    name = body[at + 4 : at + 4 + label].decode()
    at += 4 + label
    (host,) = struct.unpack_from("<I", body, at)
    said = body[:key] + body[key + 40 : at] + body[at + 4 + host :]
    print(path.name, name, hashlib.sha256(said).hexdigest())
