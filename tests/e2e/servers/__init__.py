"""Web servers of Debian's packages, each with a sample configuration of packaging/."""

from .apache import ApacheBalancer, ApacheSite, ApacheProxyPass, ApacheTcp
from .caddy import Caddy
from .cgi_fcgi import CgiFcgi
from .haproxy import HAProxy
from .lighttpd import Lighttpd
from .nginx import NginxKeepalive, NginxSite

SERVERS = {
    server.name: server
    for server in (
        NginxSite,
        NginxKeepalive,
        ApacheSite,
        ApacheProxyPass,
        ApacheTcp,
        ApacheBalancer,
        HAProxy,
        Lighttpd,
        Caddy,
        CgiFcgi,
    )
}
