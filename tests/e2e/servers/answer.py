"""What a client gets, without what differs between two runs of the same request."""

import http.client
import re
from dataclasses import dataclass

from harness.waiting import PATIENCE

# What depends on how the parts of an answer arrive: whether the server knows its length.
LENGTH = {"content-length", "transfer-encoding", "accept-ranges"}
VOLATILE = {"date", "connection", "keep-alive", *LENGTH}


@dataclass
class Answer:
    status: int
    reason: str
    headers: list  # [(name, value)] in the order of their arrival
    body: bytes

    @property
    def text(self):
        return self.body.decode("latin-1")

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        return (self.values(name) or [None])[0]

    def comparable(self):
        """Servers may sort headers of different names as they like, but always the same way."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in VOLATILE]
        return (self.status, self.reason, kept, self.body)


class Client:
    """One connection to a web server; used again for each request if `keep`."""

    def __init__(self, port):
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def begin(self, path, method="GET", body=None, headers=(), chunked=False):
        """Sends a request; the answer as far as its headers."""
        self._http.putrequest(method, path)
        for name, value in headers:
            self._http.putheader(name, value)
        if chunked:
            self._http.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            self._http.putheader("Content-Length", str(len(body)))
        self._http.endheaders()
        if chunked:
            for start in range(0, len(body), 50_000):
                piece = body[start : start + 50_000]
                self._http.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            self._http.send(b"0\r\n\r\n")
        elif body is not None:
            self._http.send(body)
        return self._http.getresponse()

    def ask(self, path, **request):
        response = self.begin(path, **request)
        body = response.read()
        return Answer(response.status, response.reason, response.getheaders(), body)


def from_cgi(output):
    """An Answer of the CGI response a program printed."""
    head, _, body = output.partition(b"\r\n\r\n")
    headers = [
        (name, value.strip())
        for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n"))
    ]
    status = [value for name, value in headers if name.lower() == "status"]
    number, _, reason = (status[0] if status else "200 OK").partition(" ")
    assert re.fullmatch(r"\d{3}", number), output[:200]
    kept = [(name, value) for name, value in headers if name.lower() != "status"]
    return Answer(int(number), reason, kept, body)
