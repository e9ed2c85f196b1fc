"""Caddy with php_fastcgi."""

from .web_server import WebServer

MAIN = """
{{
	admin off
	auto_https off
	storage file_system {dir}/storage
}}
{sample}
"""


class Caddy(WebServer):
    name = "caddy"
    program = "caddy"
    orders_variables = False
    logs_errors = False
    measures_chunks = False  # CONTENT_LENGTH=-1

    def configuration(self):
        self.folder("storage")
        here = {
            "http://example.org": f"http://127.0.0.1:{self.port}",
            "/run/muster/www.sock": self.address,
        }
        sample = self.sample("caddy/Caddyfile", here)
        self.write("Caddyfile", MAIN.format(dir=self.dir, sample=sample))

    def command(self):
        return ["run", "--adapter", "caddyfile", "--config", f"{self.dir}/Caddyfile"]
