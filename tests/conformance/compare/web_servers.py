"""What each web server makes of one and the same URL: the FastCGI parameters, in its order."""

import re

SCRIPT = re.compile(rb"^(.+?\.php)(/.*)$", re.S)


def split(path):
    """(script, path info) as `fastcgi_split_path_info ^(.+?\\.php)(/.*)$` does."""
    match = SCRIPT.match(path)
    return match.groups() if match else (path, b"")


class Asked:
    """One request of a browser to a site at `root`."""

    def __init__(self, root, path, method="GET", query="", body=b"", headers=()):
        self.root = root.encode()
        self.path = path
        self.method, self.query, self.body = method, query, body
        self.headers = [("HTTP_HOST", "www.example.org"), ("HTTP_ACCEPT", "*/*"), *headers]
        self.type = "application/x-www-form-urlencoded" if body else ""

    @property
    def length(self):
        return str(len(self.body)) if self.body or self.method in ("POST", "PUT") else ""

    @property
    def uri(self):
        quoted = re.sub(rb"[^!-~]", lambda byte: b"%%%02X" % byte[0][0], self.path)
        return quoted + (b"?" + self.query.encode() if self.query else b"")

    def has(self, name):
        return any(name == header for header, _ in self.headers)


def nginx_common(a, script):
    return [
        ("QUERY_STRING", a.query),
        ("REQUEST_METHOD", a.method),
        ("CONTENT_TYPE", a.type),
        ("CONTENT_LENGTH", a.length),
        ("SCRIPT_NAME", script),
        ("REQUEST_URI", a.uri),
        ("DOCUMENT_URI", a.path),
        ("DOCUMENT_ROOT", a.root),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", "nginx/1.22.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_PORT", "40000"),
        ("REMOTE_USER", ""),
        ("SERVER_ADDR", "192.0.2.1"),
        ("SERVER_PORT", "80"),
        ("SERVER_NAME", "www.example.org"),
        ("REDIRECT_STATUS", "200"),
    ]


def nginx(a):
    return [("SCRIPT_FILENAME", a.root + a.path), *nginx_common(a, a.path), *a.headers]


def nginx_split(a):
    script, info = split(a.path)
    return [
        ("SCRIPT_FILENAME", a.root + script),
        *nginx_common(a, script),
        ("PATH_INFO", info),
        ("PATH_TRANSLATED", a.root + info),
        *a.headers,
    ]


def nginx_info_only(a):
    """fastcgi_param PATH_INFO $fastcgi_path_info without the split: the whole path in both."""
    return [
        ("SCRIPT_FILENAME", a.root + a.path),
        *nginx_common(a, a.path),
        ("PATH_INFO", a.path),
        *a.headers,
    ]


def apache_common(a, script):
    body = [("CONTENT_TYPE", a.type), ("CONTENT_LENGTH", a.length)] if a.body else []
    return [
        *a.headers,
        *body,
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("SERVER_SIGNATURE", "<address>Apache</address>\n"),
        ("SERVER_SOFTWARE", "Apache/2.4.62 (Debian)"),
        ("SERVER_NAME", "www.example.org"),
        ("SERVER_ADDR", "192.0.2.1"),
        ("SERVER_PORT", "80"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("DOCUMENT_ROOT", a.root),
        ("REQUEST_SCHEME", "http"),
        ("CONTEXT_PREFIX", ""),
        ("CONTEXT_DOCUMENT_ROOT", a.root),
        ("SERVER_ADMIN", "[no address given]"),
        ("SCRIPT_FILENAME", b""),
        ("REMOTE_PORT", "40000"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_METHOD", a.method),
        ("QUERY_STRING", a.query),
        ("REQUEST_URI", a.uri),
        ("SCRIPT_NAME", script),
    ]


def with_filename(params, filename):
    return [(name, filename if name == "SCRIPT_FILENAME" else value) for name, value in params]


def apache_handler(a, backend=b"127.0.0.1:9000"):
    """SetHandler proxy:fcgi://127.0.0.1:9000"""
    script, info = split(a.path)
    params = with_filename(apache_common(a, script), b"proxy:fcgi://" + backend + a.root + script)
    if info:
        params += [("PATH_INFO", info), ("PATH_TRANSLATED", a.root + info)]
    return params


def apache_unix(a):
    """SetHandler "proxy:unix:/run/p.sock|fcgi://localhost" """
    return apache_handler(a, b"localhost")


def apache_match(a):
    """ProxyPassMatch ^/(.*\\.php(/.*)?)$ fcgi://127.0.0.1:9000/root/$1"""
    quoted = re.sub(rb"[^!-~]", lambda byte: b"%%%02X" % byte[0][0], a.path)
    filename = b"proxy:fcgi://127.0.0.1:9000" + a.root + quoted
    if a.query:
        filename += b"?" + a.query.encode()
    return with_filename(apache_common(a, a.path), filename)


def apache_pathinfo(a):
    """The same with proxy-fcgi-pathinfo=best-guess"""
    script, info = split(a.path)
    params = with_filename(
        apache_common(a, script), b"proxy:fcgi://127.0.0.1:9000" + a.root + a.path
    )
    return [*params, ("PATH_INFO", info)] if info else params


def apache_balancer(a):
    return with_filename(apache_common(a, a.path), b"proxy:balancer://pool" + a.root + a.path)


def apache_index(a):
    """DirectoryIndex index.php: the redirect inside leaves its traces."""
    path = a.path.rstrip(b"/") + b"/index.php"
    return [
        ("REDIRECT_STATUS", "200"),
        ("REDIRECT_URL", a.path),
        *with_filename(apache_common(a, path), b"proxy:fcgi://localhost" + a.root + path),
    ]


def apache_rewrite(a):
    """RewriteRule into PATH_INFO of a front controller."""
    params = with_filename(
        apache_common(a, b"/dump.php"), b"proxy:fcgi://localhost" + a.root + b"/dump.php"
    )
    return [
        ("REDIRECT_HTTP_AUTHORIZATION", "Basic YTpi"),
        ("REDIRECT_STATUS", "200"),
        *params,
        ("REDIRECT_URL", a.path),
        ("PATH_INFO", a.path),
        ("PATH_TRANSLATED", b"redirect:/dump.php" + a.path),
    ]


def apache_action(a):
    """mod_fastcgi's Action: the program's name where the script's is expected."""
    return [
        ("REDIRECT_STATUS", "200"),
        ("REDIRECT_HANDLER", "php-fastcgi"),
        ("REDIRECT_URL", a.path),
        *with_filename(apache_common(a, b"/fcgi/php"), b"/usr/lib/cgi-bin/php-fcgi"),
        ("PATH_INFO", a.path),
        ("PATH_TRANSLATED", a.root + a.path),
    ]


def lighttpd(a):
    script, info = split(a.path)
    params = [
        ("CONTENT_LENGTH", a.length or "0"),
        ("QUERY_STRING", a.query),
        ("REQUEST_URI", a.uri),
        ("REDIRECT_STATUS", "200"),
        ("SCRIPT_NAME", script),
        ("SCRIPT_FILENAME", a.root + script),
        ("DOCUMENT_ROOT", a.root),
    ]
    if info:
        params += [("PATH_INFO", info), ("PATH_TRANSLATED", a.root + info)]
    params += [
        ("REQUEST_METHOD", a.method),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "lighttpd/1.4.69"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("SERVER_PORT", "80"),
        ("SERVER_ADDR", "192.0.2.1"),
        ("SERVER_NAME", "www.example.org"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_PORT", "40000"),
        *a.headers,
    ]
    return [*params, ("CONTENT_TYPE", a.type)] if a.type else params


def caddy(a):
    script, info = split(a.path)
    params = [
        ("AUTH_TYPE", ""),
        ("CONTENT_LENGTH", a.length or "0"),
        ("CONTENT_TYPE", a.type),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("PATH_INFO", info),
        ("QUERY_STRING", a.query),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_HOST", "192.0.2.7"),
        ("REMOTE_PORT", "40000"),
        ("REMOTE_IDENT", ""),
        ("REMOTE_USER", ""),
        ("REQUEST_METHOD", a.method),
        ("REQUEST_SCHEME", "http"),
        ("SERVER_NAME", "www.example.org"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "Caddy/v2.6.2"),
        ("DOCUMENT_ROOT", a.root),
        ("DOCUMENT_URI", script),
        *a.headers,
        ("REQUEST_URI", a.uri),
        ("SCRIPT_FILENAME", a.root + script),
        ("SCRIPT_NAME", script),
        ("SERVER_PORT", "80"),
    ]
    return [*params, ("PATH_TRANSLATED", a.root + info)] if info else params


def haproxy(a):
    """fcgi-app with path-info ^(/.+\\.php)(/.*)?$"""
    script, info = split(a.path)
    params = [
        ("DOCUMENT_ROOT", a.root),
        ("SCRIPT_NAME", script),
        ("SCRIPT_FILENAME", a.root + script),
    ]
    if info:
        params += [("PATH_INFO", info), ("PATH_TRANSLATED", a.root + info)]
    params += [
        ("REQUEST_URI", a.uri),
        ("REQUEST_METHOD", a.method),
        ("QUERY_STRING", a.query),
        ("SERVER_NAME", "www.example.org"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "HAProxy 2.6.12"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_PORT", "40000"),
    ]
    if a.body:
        params += [("CONTENT_LENGTH", a.length), ("CONTENT_TYPE", a.type)]
    return [*params, *a.headers]


def cgi_fcgi(a):
    """The shell's environment, as `cgi-fcgi -bind -connect` passes it on."""
    body = [("CONTENT_LENGTH", a.length), ("CONTENT_TYPE", a.type)] if a.body else []
    return [
        ("SHELL", "/bin/bash"),
        ("PWD", "/root"),
        ("HOME", "/root"),
        ("_", "/usr/bin/cgi-fcgi"),
        ("SCRIPT_FILENAME", a.root + a.path),
        ("QUERY_STRING", a.query),
        ("REQUEST_METHOD", a.method),
        *body,
    ]


def minimal(a):
    length = [("CONTENT_LENGTH", a.length)] if a.body else []
    return [("SCRIPT_FILENAME", a.root + a.path), ("REQUEST_METHOD", a.method), *length]


def translated(a):
    """Only PATH_TRANSLATED names the script, as under lighttpd's mod_cgi or old servers."""
    return [
        ("REQUEST_METHOD", a.method),
        ("SCRIPT_NAME", a.path),
        ("PATH_TRANSLATED", a.root + a.path),
        ("QUERY_STRING", a.query),
        ("CONTENT_LENGTH", a.length or "0"),
        *a.headers,
    ]


def iis(a):
    script, info = split(a.path)
    return [
        ("SERVER_SOFTWARE", "Microsoft-IIS/10.0"),
        ("APPL_PHYSICAL_PATH", a.root),
        ("SCRIPT_NAME", script),
        ("PATH_INFO", script + info),
        ("PATH_TRANSLATED", a.root + script + info),
        ("SCRIPT_FILENAME", a.root + script),
        ("DOCUMENT_ROOT", a.root),
        ("REQUEST_METHOD", a.method),
        ("QUERY_STRING", a.query),
        ("CONTENT_LENGTH", a.length or "0"),
        ("CONTENT_TYPE", a.type),
        ("HTTPS", "off"),
        *a.headers,
    ]


STYLES = {
    function.__name__: function
    for function in (
        nginx,
        nginx_split,
        nginx_info_only,
        apache_handler,
        apache_unix,
        apache_match,
        apache_pathinfo,
        apache_balancer,
        apache_index,
        apache_rewrite,
        apache_action,
        lighttpd,
        caddy,
        haproxy,
        cgi_fcgi,
        minimal,
        translated,
        iis,
    )
}
