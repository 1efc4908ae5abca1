"""A TDS client small enough to be read in one go, for the tests of the simulator's wire ([MS-TDS] 2.2).

It sends exactly the packets it is told to and returns the tokens of an answer as they came; a result's rows are only
counted where every column is one that `skip_value` knows (int, bigint, nvarchar).
"""
import socket
import ssl
import struct

PRELOGIN, LOGIN, BATCH, RPC, ATTENTION, TRANSACTION = 0x12, 0x10, 1, 3, 6, 14
HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)
COLLATION = b"\x09\x04\xd0\x00\x34"


def packet(kind, payload, status=1):
    return struct.pack(">BBHHBB", kind, status, len(payload) + 8, 0, 1, 0) + payload


def prelogin(encryption=2):
    options = [(0, bytes(6)), (1, bytes([encryption])), (2, b"\x00"), (3, bytes(4)), (4, b"\x00")]
    at, table, data = 5 * len(options) + 1, b"", b""
    for token, value in options:
        table += struct.pack(">BHH", token, at + len(data), len(value))
        data += value
    return table + b"\xff" + data


def login(password, user="sa", database="", size=4096, read_only=False, version=0x74000004, integrated=False):
    hidden = bytes(((b << 4 | b >> 4) & 0xFF) ^ 0xA5 for b in password.encode("utf-16-le"))
    plain = ["testhost", user, None, "wire_test", "", "", "", "", database]
    texts = [hidden if text is None else text.encode("utf-16-le") for text in plain]
    entries, data, at = b"", b"", 94
    for text in texts:
        entries += struct.pack("<HH", at + len(data), len(text) // 2)
        data += text
    flags = (0xE0, 0x83 if integrated else 3, 0x20 if read_only else 0, 0)
    body = struct.pack("<IIIIIBBBBii", version, size, 7, 1, 0, *flags, 0, 0x409)
    record = body + entries + bytes(6) + struct.pack("<HHHHHHI", at, 0, at, 0, at, 0, 0) + data
    return struct.pack("<I", len(record) + 4) + record


def batch(sql):
    return HEADERS + sql.encode("utf-16-le")


def text_parameter(text, name=""):
    """nvarchar(max) as PLP."""
    value = text.encode("utf-16-le")
    head = bytes([len(name)]) + name.encode("utf-16-le") + b"\x00\xe7\xff\xff" + COLLATION
    return head + struct.pack("<QI", len(value), len(value)) + value + (bytes(4) if value else b"")


def int_parameter(value, name="", output=False):
    head = bytes([len(name)]) + name.encode("utf-16-le") + bytes([output]) + b"\x26\x04"
    return head + (b"\x00" if value is None else b"\x04" + struct.pack("<i", value))


def call(number, *parameters):
    return HEADERS + struct.pack("<HHH", 0xFFFF, number, 0) + b"".join(parameters)


class Answer:
    """tokens: list of (token, detail); errors: their numbers; done: list of (token, status, rows)."""

    def __init__(self, data):
        self.data, self.at = data, 0
        self.tokens, self.errors, self.infos, self.done, self.rows, self.changes = [], [], [], [], 0, {}
        self.values, self.columns, self.status, self.returned = [], [], None, None
        while self.at < len(data):
            self.token()

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def text(self, size):
        units = self.take("B" if size == 1 else "H")
        self.at += units * 2
        return self.data[self.at - units * 2:self.at].decode("utf-16-le")

    def type_info(self):
        kind = self.take("B")
        if kind in (0x26, 0x68):
            self.at += 1
        elif kind == 0xE7:
            size = self.take("H")
            self.at += 5
            return "plp" if size == 0xFFFF else "short"
        else:
            raise ValueError("type %#x is not known to this client" % kind)
        return "byte"

    def value(self, form):
        if form == "byte":
            size = self.take("B")
            self.at += size
            return int.from_bytes(self.data[self.at - size:self.at], "little", signed=True) if size else None
        if form == "short":
            size = self.take("H")
            if size == 0xFFFF:
                return None
            self.at += size
            return self.data[self.at - size:self.at].decode("utf-16-le")
        total, text = self.take("Q"), b""
        while total != 2**64 - 1:
            size = self.take("I")
            if size == 0:
                return text.decode("utf-16-le")
            text += self.data[self.at:self.at + size]
            self.at += size
        return None

    def row(self, bitmap):
        nulls = 0
        if bitmap:
            size = (len(self.columns) + 7) // 8
            nulls = int.from_bytes(self.data[self.at:self.at + size], "little")
            self.at += size
        values = [None if nulls >> i & 1 else self.value(form) for i, (_, form) in enumerate(self.columns)]
        self.values.append(values)
        self.rows += 1

    def token(self):
        token = self.take("B")
        if token in (0xFD, 0xFE, 0xFF):
            status, _, rows = self.take("HHQ")
            self.done.append((token, status, rows))
        elif token in (0xAA, 0xAB):
            end = self.at + 2 + struct.unpack_from("<H", self.data, self.at)[0]
            number = struct.unpack_from("<i", self.data, self.at + 2)[0]
            (self.errors if token == 0xAA else self.infos).append(number)
            self.at = end
        elif token == 0xE3:
            end = self.at + 2 + struct.unpack_from("<H", self.data, self.at)[0]
            self.at += 2
            kind = self.take("B")
            self.changes[kind] = self.text(1) if kind in (1, 2, 4) else b""
            self.at = end
        elif token == 0xAD:
            self.at += 2 + struct.unpack_from("<H", self.data, self.at)[0]
        elif token == 0x81:
            self.columns = []
            for _ in range(self.take("H")):
                self.take("IH")
                form = self.type_info()
                self.columns.append((self.text(1), form))
        elif token in (0xD1, 0xD2):
            self.row(token == 0xD2)
        elif token == 0x79:
            self.status = self.take("i")
        elif token == 0xAC:
            self.take("H")
            self.text(1)
            self.take("BIH")
            self.returned = self.value(self.type_info())
        else:
            raise ValueError("token %#x at %d" % (token, self.at - 1))
        self.tokens.append(token)


class Client:
    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.tls, self.received = None, 0

    def close(self):
        self.socket.close()

    def send(self, data):
        if self.tls:
            self.tls.write(data)
            data = self.outgoing.read()
        self.socket.sendall(data)

    def bytes(self, size):
        got = b""
        while len(got) < size:
            if self.tls:
                try:
                    part = self.tls.read(size - len(got))
                except ssl.SSLWantReadError:
                    self.incoming.write(self.socket.recv(65536))
                    continue
            else:
                part = self.socket.recv(size - len(got))
            if not part:
                raise ConnectionError("the server hung up after %d bytes" % self.received)
            got += part
            self.received += len(part)
        return got

    def message(self):
        """Payload of one message, the size of its largest packet."""
        payload, largest, last = b"", 0, 0
        while not last:
            header = self.bytes(8)
            size = struct.unpack_from(">H", header, 2)[0]
            payload, largest, last = payload + self.bytes(size - 8), max(largest, size), header[1] & 1
        return payload, largest

    def ask(self, kind, payload):
        self.received = 0
        self.send(packet(kind, payload) if len(payload) < 4000 else self.split(kind, payload))
        return Answer(self.message()[0])

    @staticmethod
    def split(kind, payload):
        parts = [payload[i:i + 4000] for i in range(0, len(payload), 4000)]
        return b"".join(packet(kind, part, part is parts[-1]) for part in parts)

    def sql(self, text):
        return self.ask(BATCH, batch(text))

    def login(self, password, encryption=2, **options):
        self.send(packet(PRELOGIN, prelogin(encryption)))
        answer = self.message()[0]
        server = answer[struct.unpack_from(">H", answer, 6)[0]]
        if server != 2:
            self.handshake()
        self.send(packet(LOGIN, login(password, **options)))
        if server == 0:
            self.tls = None
        self.encryption = server
        return Answer(self.message()[0])

    def handshake(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.send(packet(PRELOGIN, self.outgoing.read()))
                self.incoming.write(self.message()[0])
                continue
            if self.outgoing.pending:
                self.send(packet(PRELOGIN, self.outgoing.read()))
            break
        self.tls = tls
