"""Requests to a daemon, as nginx would send them."""

import json

from . import fastcgi
from .background import Task


class Requests:
    """For a class with `arena` and address(pool)."""

    def params(self, path="/index.php", method="GET", query="", body=b"", more=None):
        """What nginx would send for a script of the site."""
        length = str(len(body)) if body or method in ("POST", "PUT") else ""
        params = {
            "QUERY_STRING": query,
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": "application/x-www-form-urlencoded" if body else "",
            "CONTENT_LENGTH": length,
            "SCRIPT_NAME": path,
            "REQUEST_URI": path + (f"?{query}" if query else ""),
            "DOCUMENT_URI": path,
            "DOCUMENT_ROOT": self.arena.site,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "test",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "1234",
            "SERVER_ADDR": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_NAME": "localhost",
            "SCRIPT_FILENAME": self.arena.site + path,
        }
        params.update(more or {})
        return {name: value for name, value in params.items() if value is not None}

    def connect(self, pool="www", timeout=10.0):
        return fastcgi.Connection(self.address(pool), timeout)

    def get(self, path="/index.php", pool="www", method="GET", query="", body=b"", more=None):
        with self.connect(pool, 20.0) as connection:
            return connection.ask(self.params(path, method, query, body, more), body)

    def get_in_background(self, *args, **kwargs):
        return Task(self.get, *args, **kwargs)

    def status(self, pool="www", full=True, path="/status"):
        """The pool's status page as Python values; the pool needs pm.status_path."""
        query = "json&full" if full else "json"
        return json.loads(self.get(path, pool=pool, query=query).text)

    def assert_serves(self, pool="www"):
        """The proof after every trial that the pool still works."""
        path = self.arena.script("still-serves.php", "<?php echo 'served';")
        answer = self.get(path, pool=pool)
        assert (answer.status, answer.text) == (200, "served"), answer.stdout
        assert answer.ended
