"""Things that go on while a test looks: one slow request, or many short ones."""

import http.client
import threading
import time

from .waiting import PATIENCE, wait_until


class Task(threading.Thread):
    """Runs a function beside the test; result() gives its value or raises its exception."""

    def __init__(self, function, *args, **kwargs):
        super().__init__(daemon=True)
        self._call = (function, args, kwargs)
        self._value = self._error = None
        self.start()

    def run(self):
        function, args, kwargs = self._call
        try:
            self._value = function(*args, **kwargs)
        except Exception as error:  # handed to the one who asks for the result
            self._error = error

    def result(self, timeout=20.0):
        self.join(timeout * PATIENCE)
        assert not self.is_alive(), "a background request has not come back"
        if self._error:
            raise self._error
        return self._value


def http_get(port, path, method="GET", body=None, headers=None, timeout=15.0):
    """(status, body bytes, headers) over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * PATIENCE)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


class Load:
    """Clients that ask again and again until stopped; remembers every answer that was not right."""

    def __init__(self, ask, clients=3):
        """`ask()` returns None when all is well, else a text that says what was wrong."""
        self._ask = ask
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.served = 0
        self.failures = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for_more(1)
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        while not self._stop.is_set():
            try:
                wrong = self._ask()
            except Exception as error:
                wrong = repr(error)
            with self._lock:
                if wrong is None:
                    self.served += 1
                else:
                    self.failures.append(f"{time.strftime('%H:%M:%S')} {wrong}")

    def wait_for_more(self, requests, timeout=10.0):
        """Returns when that many more requests were answered."""
        goal = self.served + requests
        wait_until(
            lambda: self.served >= goal,
            lambda: f"{requests} more answers; failures: {self.failures[-5:]}",
            timeout,
        )

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30 * PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"

    def assert_no_failures(self):
        self.stop()
        assert not self.failures, (
            f"{len(self.failures)} of {self.served + len(self.failures)} requests failed, "
            f"e.g. {self.failures[:5]}"
        )


def load_over_http(port, path, expected, clients=3):
    def ask():
        status, body, _ = http_get(port, path)
        if status != 200 or body != expected:
            return f"{status} {body[:100]!r}"
        return None

    return Load(ask, clients)
