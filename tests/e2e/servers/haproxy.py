"""HAProxy, which speaks FastCGI itself (fcgi-app)."""

from .web_server import WebServer

MAIN = """
global
    log stderr format raw local0 info
    maxconn 256
{user}
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    # Whatever a lost request is, the test shall see it.
    retries 0

{sample}
"""


class HAProxy(WebServer):
    name = "haproxy"
    program = "haproxy"
    listens_on = "tcp"
    keeps_redirects = False
    largest_chunked = 10_000  # it collects them, in one buffer

    def configuration(self):
        here = {"bind :80": f"bind 127.0.0.1:{self.port}", "127.0.0.1:9000": self.address}
        user = "    user www-data\n    group www-data" if self.identity.is_root else ""
        sample = self.sample("haproxy/muster.cfg", here)
        self.write("haproxy.cfg", MAIN.format(user=user, sample=sample))

    def command(self):
        return ["-db", "-f", f"{self.dir}/haproxy.cfg"]
