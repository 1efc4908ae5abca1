#!/usr/bin/env python3
"""Malformed packets at the simulator's listener: truncated, flipped and invented ones.

usage: malformed_test.py PORT PASSWORD [ROUNDS]

The simulator (running, login sa) must answer or hang up, and must still serve a good client afterwards. Whether one of
its processes crashed shows at its end: it exits with 3. Prints `ok` / `not ok`; the seed is fixed, so a run repeats.
"""
import random
import socket
import struct
import sys

from tds_client import ATTENTION, BATCH, HEADERS, LOGIN, PRELOGIN, RPC, TRANSACTION, batch, int_parameter, login
from tds_client import packet, prelogin, text_parameter


def executesql():
    call = HEADERS + struct.pack("<HHH", 0xFFFF, 10, 0)
    call += text_parameter("SELECT @a, @b") + text_parameter("@a int, @b decimal(9,2)") + int_parameter(7, "@a")
    return call + b"\x02@\x00b\x00\x00\x6a\x05\x09\x02\x05\x01\x39\x30\x00\x00"


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def answer(self, timeout=5.0):
        """One message, or what came until the server hung up or fell silent."""
        self.socket.settimeout(timeout)
        got = b""
        try:
            while True:
                part = self.socket.recv(65536)
                if not part:
                    break
                got += part
                at = 0
                while len(got) - at >= 8 and len(got) - at >= struct.unpack(">H", got[at + 2:at + 4])[0] >= 8:
                    if got[at + 1] & 1:
                        return got
                    at += struct.unpack(">H", got[at + 2:at + 4])[0]
        except OSError:
            pass
        return got

    def login(self, password):
        self.send(packet(PRELOGIN, prelogin()))
        self.answer()
        self.send(packet(LOGIN, login(password)))
        return b"\xad" in self.answer()

    def close(self):
        self.socket.close()


def mutations(rng, data, rounds):
    for cut in range(0, len(data), max(1, len(data) // 40)):
        yield data[:cut]
    for _ in range(rounds):
        bad = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            bad[rng.randrange(len(bad))] = rng.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)])
        yield bytes(bad)
    for _ in range(rounds // 4):
        yield rng.randbytes(rng.randint(0, 300))


def main():
    port, password = int(sys.argv[1]), sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    rng, tried = random.Random(20240229), 0
    for bad in mutations(rng, packet(PRELOGIN, prelogin()), rounds):
        client = Client(port)
        client.send(bad)
        client.answer(0.02)
        client.close()
        tried += 1
    for bad in mutations(rng, login(password), rounds):
        client = Client(port)
        client.send(packet(PRELOGIN, prelogin()))
        client.answer()
        client.send(packet(LOGIN, bad))
        client.answer(0.2)
        client.close()
        tried += 1
    requests = [(BATCH, batch("SELECT 1 AS a")), (RPC, executesql()), (TRANSACTION, HEADERS + struct.pack("<HBB", 5, 0, 0)), (9, b"x"), (7, b"x")]
    for kind, good in requests:
        for bad in mutations(rng, good, rounds):
            client = Client(port)
            client.login(password)
            client.send(packet(kind, bad))
            client.answer(0.5)
            client.send(packet(ATTENTION, b""))
            client.answer(0.2)
            client.close()
            tried += 1
    client = Client(port)
    served = client.login(password)
    client.send(packet(RPC, executesql()))
    served = served and client.answer()[-13:-12] == b"\xfe"
    print("%s 1 - a good client is served after %d malformed requests" % ("ok" if served else "not ok", tried))
    return 0 if served else 1


if __name__ == "__main__":
    sys.exit(main())
