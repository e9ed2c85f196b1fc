# The smallest FastCGI client: one GET over a unix socket, for knowing when a daemon answers.
import socket
import struct

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
ID = 1


def record(kind, content=b""):
    return struct.pack("!BBHHBB", 1, kind, ID, len(content), 0, 0) + content


def pair(name, value):
    return struct.pack("!BB", len(name), len(value)) + name + value


def request(script):
    params = {
        b"GATEWAY_INTERFACE": b"CGI/1.1",
        b"REQUEST_METHOD": b"GET",
        b"SCRIPT_FILENAME": str(script).encode(),
        b"SCRIPT_NAME": b"/" + script.name.encode(),
        b"SERVER_PROTOCOL": b"HTTP/1.1",
    }
    return (
        record(BEGIN, struct.pack("!HB5x", 1, 0))
        + record(PARAMS, b"".join(pair(*item) for item in params.items()))
        + record(PARAMS)
        + record(STDIN)
    )


def response_of(stream):
    """The STDOUT bytes of the one response in the stream."""
    output = b""
    while stream:
        _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", stream[:8])
        if kind == STDOUT:
            output += stream[8 : 8 + length]
        stream = stream[8 + length + padding :]
    return output


def get(socket_path, script, seconds=5.0):
    """Headers and body of the script's answer; OSError when nobody listens."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(str(socket_path))
        connection.sendall(request(script))
        stream = b""
        while chunk := connection.recv(65536):
            stream += chunk
    return response_of(stream)
