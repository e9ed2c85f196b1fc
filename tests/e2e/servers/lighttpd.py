"""lighttpd with mod_fastcgi."""

import os

from .web_server import WebServer

MAIN = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{site}"
server.upload-dirs = ( "{dir}/uploads" )
server.modules = ()
{user}
{sample}
"""


class Lighttpd(WebServer):
    name = "lighttpd"
    program = "lighttpd"

    def configuration(self):
        os.chmod(self.folder("uploads"), 0o777)
        user = ""
        if self.identity.is_root:
            user = 'server.username = "www-data"\nserver.groupname = "www-data"'
        with_pool = {"/run/muster/www.sock": self.address}
        text = MAIN.format(
            port=self.port,
            site=self.arena.site,
            dir=self.dir,
            user=user,
            sample=self.sample("lighttpd/muster.conf", with_pool),
        )
        self.write("lighttpd.conf", text)

    def command(self):
        return ["-D", "-f", f"{self.dir}/lighttpd.conf"]
