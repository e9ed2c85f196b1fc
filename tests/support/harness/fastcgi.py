"""A FastCGI client that sends and sees every byte: records are made and read one by one."""

import socket
import struct

from .waiting import PATIENCE

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA = 1, 2, 3, 4, 5, 6, 7, 8
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
RESPONDER = 1
KEEP_CONN = 1


def record(kind, content=b"", request_id=1, padding=0, version=1):
    header = struct.pack(">BBHHBB", version, kind, request_id, len(content), padding, 0)
    return header + content + b"\0" * padding


def begin(request_id=1, role=RESPONDER, flags=0):
    return record(BEGIN, struct.pack(">HB5x", role, flags), request_id)


def _length(n):
    return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)


def pair(name, value):
    name = name.encode() if isinstance(name, str) else name
    value = value.encode() if isinstance(value, str) else value
    return _length(len(name)) + _length(len(value)) + name + value


def pairs(params):
    return b"".join(pair(name, value) for name, value in params.items())


def params_stream(params, request_id=1, padding=0):
    """PARAMS records, no pair split over two, and the empty one that ends them."""
    out, chunk = b"", b""
    for name, value in params.items():
        one = pair(name, value)
        if len(chunk) + len(one) > 60000:
            out += record(PARAMS, chunk, request_id, padding)
            chunk = b""
        chunk += one
    if chunk:
        out += record(PARAMS, chunk, request_id, padding)
    return out + record(PARAMS, b"", request_id)


def stdin_stream(body, request_id=1, padding=0):
    out = b""
    for start in range(0, len(body), 65000):
        out += record(STDIN, body[start : start + 65000], request_id, padding)
    return out + record(STDIN, b"", request_id)


def request_bytes(params, body=b"", request_id=1, keep=False, padding=0):
    return (
        begin(request_id, flags=KEEP_CONN if keep else 0)
        + params_stream(params, request_id, padding)
        + stdin_stream(body, request_id, padding)
    )


class Record:
    def __init__(self, kind, request_id, content, padding):
        self.kind, self.request_id = kind, request_id
        self.content, self.padding = content, padding


class Response:
    """One request's records up to END_REQUEST (or to the end of the connection)."""

    def __init__(self):
        self.records, self.stdout, self.stderr = [], b"", b""
        self.ended = False
        self.app_status = self.protocol_status = None

    def add(self, one):
        self.records.append(one)
        if one.kind == STDOUT:
            self.stdout += one.content
        elif one.kind == STDERR:
            self.stderr += one.content
        elif one.kind == END:
            self.ended = True
            self.app_status, self.protocol_status = struct.unpack(">IB", one.content[:5])

    @property
    def head(self):
        return self.stdout.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self):
        return self.stdout.partition(b"\r\n\r\n")[2]

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def headers(self):
        """[(name, value)] as sent."""
        lines = [line.partition(":") for line in self.head.split("\r\n") if line]
        return [(name, value.strip()) for name, _, value in lines]

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def status(self):
        return int((self.header("Status") or "200").split()[0])


class Connection:
    """`address`: a unix socket's path or "host:port"."""

    def __init__(self, address, timeout=10.0):
        if ":" in address:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout * PATIENCE)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout * PATIENCE)
            self.socket.connect(address)
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_in_pieces(self, pieces):
        """Each piece in a packet of its own as far as the kernel lets us."""
        for piece in pieces:
            self.socket.sendall(piece)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def read_exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.socket.recv(n - len(data))
            if not piece:
                return None
            data += piece
        return data

    def read_record(self):
        """The next record; None when the server closed (or reset) the connection."""
        try:
            header = self.read_exactly(8)
            if header is None:
                return None
            version, kind, request_id, length, padding, _ = struct.unpack(">BBHHBB", header)
            assert version == 1, f"the server sent version {version}"
            content = self.read_exactly(length)
            rest = self.read_exactly(padding)
        except ConnectionResetError:
            return None
        if content is None or rest is None:
            return None
        return Record(kind, request_id, content, padding)

    def read_response(self):
        response = Response()
        while not response.ended:
            one = self.read_record()
            if one is None:
                break
            response.add(one)
        return response

    def is_closed_by_server(self):
        """Waits until the server closes; anything it still sends is a failure."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, params, body=b"", keep=False, request_id=1):
        self.send(request_bytes(params, body, request_id, keep))
        return self.read_response()


def values_request(names):
    return record(GET_VALUES, b"".join(pair(name, "") for name in names), 0)


def parse_pairs(data):
    found, at = {}, 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            if data[at] < 128:
                sizes.append(data[at])
                at += 1
            else:
                sizes.append(struct.unpack(">I", data[at : at + 4])[0] & 0x7FFFFFFF)
                at += 4
        name, value = data[at : at + sizes[0]], data[at + sizes[0] : at + sizes[0] + sizes[1]]
        found[name.decode()] = value.decode()
        at += sizes[0] + sizes[1]
    return found
