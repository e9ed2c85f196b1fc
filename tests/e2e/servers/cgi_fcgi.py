"""libfcgi's cgi-fcgi, which a web server would call as a CGI; the test is that server."""

import os
import subprocess
import urllib.parse

from harness.waiting import PATIENCE

from .answer import from_cgi
from .web_server import WebServer


class CgiFcgi(WebServer):
    name = "cgi-fcgi"
    program = "cgi-fcgi"

    def start(self):
        self.port = 80
        return self

    def messages(self):
        return self.log.text()

    def client(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def environment(self, path, method, body, headers):
        url, _, query = path.partition("?")
        name = urllib.parse.unquote(url)
        name = f"{name}index.php" if name.endswith("/") else name
        script, dot_php, info = name.partition(".php")
        script += dot_php
        values = {
            "PATH": os.environ["PATH"],
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "test",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "DOCUMENT_ROOT": self.arena.site,
            "REQUEST_URI": path,
            "REQUEST_METHOD": method,
            "QUERY_STRING": query,
            "SCRIPT_NAME": script,
            "SCRIPT_FILENAME": self.arena.site + script,
        }
        if info:
            values["PATH_INFO"] = info
            values["PATH_TRANSLATED"] = self.arena.site + info
        if body is not None:
            values["CONTENT_LENGTH"] = str(len(body))
        for key, value in headers:
            key = key.upper().replace("-", "_")
            values[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        return values

    def call(self, path, method="GET", body=None, headers=()):
        """The running program, which has the whole request."""
        with open(self.log.path, "ab") as log:
            process = subprocess.Popen(
                [self._path(), "-bind", "-connect", self.address],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(path, method, body, headers),
                **self.identity.popen_arguments(),
            )
        self.arena.popens[process.pid] = process
        return process

    def ask(self, path, method="GET", body=None, headers=(), chunked=False):
        process = self.call(path, method, body, headers)
        output, _ = process.communicate(body or b"", timeout=30 * PATIENCE)
        assert process.returncode == 0, self.messages()
        return from_cgi(output)

    def begin(self, path):
        """An answer whose body can be read piece by piece."""
        output = self.call(path).stdout
        while output.readline() != b"\r\n":
            pass
        return output

    def leave_within_answer(self, path):
        process = self.call(path)
        process.stdout.read(20_000)
        process.kill()
        process.wait(5)
