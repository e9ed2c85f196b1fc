"""The site both daemons serve: scripts, odd names, links, places that are closed, and settings for directories."""

import os
import time

from . import behaviours

DUMP = r"""<?php
function part($name, $value) {
    echo "== $name\n";
    if (is_array($value)) {
        foreach ($value as $key => $one) {
            if ($key === 'REQUEST_TIME' || $key === 'REQUEST_TIME_FLOAT') $one = gettype($one);
            echo "$key => ";
            var_dump($one);
        }
    } else {
        var_dump($value);
    }
}
part('server', $_SERVER);
part('env', $_ENV);
part('getenv', getenv());
part('one', [getenv('HTTP_PROXY'), getenv('http_proxy'), getenv('PATH_INFO'), getenv('HOME'),
    getenv('HOME', true), getenv('PATH_INFO', true), getenv('NOT_THERE'), getenv('HTTP_HOST')]);
part('headers', getallheaders());
part('get', $_GET);
part('post', $_POST);
part('cookie', $_COOKIE);
foreach ($_FILES as $field => $file) {
    array_walk_recursive($file, function (&$value, $key) {
        if (is_string($value) && str_contains($value, '/php')) $value = file_exists($value) ? 'there' : 'gone';
    });
    part("file $field", $file);
}
part('request', $_REQUEST);
$input = file_get_contents('php://input');
part('input', strlen($input) > 400 ? strlen($input) . ' ' . md5($input) : $input);
foreach (['GET' => INPUT_GET, 'POST' => INPUT_POST, 'COOKIE' => INPUT_COOKIE, 'ENV' => INPUT_ENV] as $name => $kind)
    part("filter $name", filter_input_array($kind));
part('filter SERVER', [filter_input(INPUT_SERVER, 'PATH_INFO'), filter_input(INPUT_SERVER, 'HTTP_HOST'),
    filter_input(INPUT_SERVER, 'SCRIPT_NAME'), filter_input(INPUT_SERVER, 'PHP_SELF')]);
part('about', [PHP_SAPI, php_sapi_name(), getcwd(), __FILE__, __DIR__, get_included_files(),
    $GLOBALS['argv'] ?? null, $GLOBALS['argc'] ?? null, headers_list(), http_response_code(),
    connection_status(), ignore_user_abort(), umask(), getlastmod() > 0, error_get_last(),
    ob_get_level(), headers_sent(), ini_get('error_log'), ini_get('memory_limit'),
    ini_get('user_agent'), ini_get('precision'), ini_get('doc_root'), ini_get('open_basedir')]);
"""

VARS = r"""<?php
foreach ($_SERVER as $name => $value)
    if (!str_starts_with($name, 'REQUEST_TIME')) echo $name, '=', is_string($value) ? $value : var_export($value, true), "\n";
echo __FILE__, ' ', getcwd(), "\n";
"""
WHO = "<?php echo basename(__FILE__), ' ', $_SERVER['PHP_SELF'], \"\\n\";"
SETTINGS = (
    "<?php foreach (['precision', 'user_agent', 'memory_limit', 'error_log', 'cgi.fix_pathinfo',"
    " 'from', 'auto_prepend_file', 'upload_max_filesize', 'default_charset', 'arg_separator.output']"
    ' as $name) { echo "$name="; var_dump(ini_get($name)); }'
)

FILES = {
    "dump.php": DUMP,
    "vars.php": VARS,
    "sub/vars.php": VARS,
    "x.php": VARS,
    "sub/index.php": WHO,
    "sub/dump.php": WHO,
    "a/b/c/d/e/f/deep.php": WHO,
    "page.txt": "text <?php echo 1;",
    "page.phar": "phar <?php echo 1;",
    "page.PHP": "upper <?php echo 1;",
    "page.php5": "five <?php echo 1;",
    "page.inc": "inc <?php echo 1;",
    "noext": "noext <?php echo 1;",
    ".php": "dot <?php echo 1;",
    "spa ce.php": WHO,
    "new\nline.php": WHO,
    "quote'\".php": WHO,
    "per%20cent.php": WHO,
    "back\\slash.php": WHO,
    "\u00fcml\u00e4ut.php": WHO,
    "..name.php": WHO,
    "a..b.php": WHO,
    "empty.php": "",
    "html.php": "<p>no code</p>\n",
    "shebang.php": "#!/usr/bin/env php\n<?php echo __LINE__;",
    "bom.php": "\ufeff<?php echo 'after the mark';",
    "secret.php": WHO,
    "closed/dump.php": WHO,
    "unlisted/dump.php": WHO,
    "doc/in_doc.php": WHO,
    "prepend.php": "<?php echo \"[prepended {$_SERVER['SCRIPT_NAME']}]\\n\";",
    "append.php": '<?php echo "[appended]\\n";',
    "settings.php": SETTINGS,
    "u/settings.php": SETTINGS,
    "u/1/settings.php": SETTINGS,
    "u/1/2/settings.php": SETTINGS,
    "u/bad/settings.php": SETTINGS,
    "u/other/settings.php": SETTINGS,
    ".user.ini": "user_agent = from-the-root\nprecision = 5\n",
    "u/.user.ini": "; a comment\nprecision = 6\nmemory_limit = 77M\n",
    "u/1/.user.ini": 'user_agent = "one"\nfrom = ${HOME}\ncgi.fix_pathinfo = 0\n',
    "u/1/2/.user.ini": "precision = 9\ndisable_functions = strlen\nnot_known = 1\n[section]\nfrom = x\n",
    "u/1/other.ini": "user_agent = other\n",
    "u/bad/.user.ini": "precision = 7\nuser_agent = (((\nfrom = never\n",
    "u/other/.user.ini": "auto_prepend_file = none.php\n",
}


def lay_out(arena):
    """Fills arena.site; everything looks an hour old, so that OPcache would keep it."""
    for name, text in {**FILES, **behaviours.files()}.items():
        arena.script(name, text)
    site = arena.site
    os.makedirs(f"{site}/dir.php/inner", exist_ok=True)
    os.mkfifo(f"{site}/fifo.php")
    # Held open on both ends, so that opening it does not wait.
    arena.fifo = os.open(f"{site}/fifo.php", os.O_RDWR)
    with open(os.fsencode(site) + b"/latin\xe9.php", "w", encoding="utf-8") as file:
        file.write(WHO)
    links = {
        "link.php": "dump.php",
        "linked": "sub",
        "up.php": "../www/sub/dump.php",
        "dangling.php": "nowhere.php",
        "loop.php": "loop.php",
        "link_to_text.php": "page.txt",
        "link.txt": "sub/dump.php",
        "dirlink.php": "sub",
    }
    for name, target in links.items():
        os.symlink(target, f"{site}/{name}")
    with open(f"{arena.dir}/outside.php", "w", encoding="utf-8") as file:
        file.write(WHO)
    os.chmod(f"{arena.dir}/outside.php", 0o644)
    os.chmod(f"{site}/secret.php", 0)
    os.chmod(f"{site}/closed", 0)
    os.chmod(f"{site}/unlisted", 0o711)
    past = time.time() - 3600
    os.utime(f"{arena.dir}/outside.php", (past, past))
    for place, folders, names in os.walk(os.fsencode(site)):
        for name in folders + names:
            if not os.path.islink(os.path.join(place, name)):
                os.utime(os.path.join(place, name), (past, past))


LONG = "x" * 300
# What a browser may ask for, decoded.
PATHS = [
    "/dump.php",
    "/dump.php/",
    "/dump.php/a",
    "/dump.php/a/b/c",
    "/dump.php/a/",
    "/dump.php//a",
    "/dump.php/a b",
    "/dump.php/a%20b",
    "/dump.php/a+b%2Fc",
    "/dump.php/%",
    "/dump.php/..",
    "/dump.php/../x",
    "/dump.php/.php",
    "/dump.php/x.php",
    "/dump.php/\u00fc",
    b"/dump.php/\xe9",
    "/dump.php/dump.php",
    "/dump.php.",
    "/dump.php\\a",
    "//dump.php",
    "//dump.php//x",
    "/./dump.php",
    "/./dump.php/x",
    "/sub/../dump.php",
    "/sub/../dump.php/x",
    "/sub",
    "/sub/",
    "/sub/index.php",
    "/sub//dump.php/x",
    "/sub\\dump.php",
    "/",
    "",
    "dump.php",
    "/missing.php",
    "/missing.php/x",
    "/missing/dump.php",
    "/dir.php",
    "/dir.php/",
    "/dir.php/inner",
    "/dir.php/x",
    "/link.php",
    "/link.php/x",
    "/linked/dump.php",
    "/linked/dump.php/y",
    "/linked/",
    "/up.php",
    "/dirlink.php",
    "/dirlink.php/dump.php",
    "/dangling.php",
    "/dangling.php/x",
    "/loop.php",
    "/loop.php/x",
    "/link_to_text.php",
    "/link.txt",
    "/link.txt/x.php",
    "/secret.php",
    "/secret.php/x",
    "/closed/dump.php",
    "/closed/dump.php/x",
    "/unlisted/dump.php",
    "/unlisted/",
    "/page.txt",
    "/page.txt/x",
    "/page.txt/x.php",
    "/page.phar",
    "/page.phar/x",
    "/page.PHP",
    "/page.php5",
    "/page.inc",
    "/noext",
    "/noext/x.php",
    "/.php",
    "/x/.php",
    "/spa ce.php",
    "/spa%20ce.php",
    "/spa ce.php/a b",
    "/new\nline.php",
    "/new\nline.php/x\ny",
    "/quote'\".php",
    "/per%20cent.php",
    "/per%20cent.php/x%20y",
    "/per cent.php",
    "/back\\slash.php",
    "/back\\slash.php\\x",
    "/\u00fcml\u00e4ut.php",
    "/\u00fcml\u00e4ut.php/\u00f6",
    b"/latin\xe9.php",
    b"/latin\xe9.php/\xff\xfe",
    "/..name.php",
    "/..name.php/x",
    "/a..b.php",
    "/a..b.php/..x",
    "/../outside.php",
    "/../outside.php/x",
    "/../www/dump.php",
    "/sub/..",
    "/sub/.",
    "/.",
    "/..",
    "/empty.php",
    "/empty.php/x",
    "/html.php",
    "/shebang.php",
    "/bom.php",
    "/a/b/c/d/e/f/deep.php",
    "/a/b/c/d/e/f/deep.php/1/2/3/4/5/6/7/8",
    "/a/b/c/d/e/f/",
    "/dump.php/" + LONG,
    "/" + LONG + ".php",
    "/" + LONG + ".php/x",
    "/dump.php" + "/y" * 400,
    "/dump.php" + "/z" * 2100,
    "/dump.php/" + "w" * 5000,
    "/" + "./" * 2100 + "dump.php",
    "/sub/" * 50 + "dump.php",
    "/dump.php\0/x",
    "/dump.php/x\0y",
    "/\0",
    "/~www-data/x.php",
    "/~nobody-at-all/x.php",
    "/fifo.php",
    "/fifo.php/x",
]
