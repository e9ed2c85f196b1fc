"""Section headers, the scope they open, pools opened again, and several pools."""

from compare.case import GLOBAL, POOL, Case, conf, conf_lines, conforms, section

HEADERS = {
    "blank-inside": "[ www ]",
    "inner-blank": "[two words]",
    "quoted": '["www 2"]',
    "single-quoted": "['www 2']",
    "variable": "[a${NAME}b]",
    "variable-quoted": '["a${NAME}b"]',
    "pool-word": "[$pool]",
    "yes": "[yes]",
    "number": "[5]",
    "constant": "[PHP_OS]",
    "empty": "[]",
    "empty-quoted": '[""]',
    "dash": "[a-b.c_d]",
    "slash": "[a/b]",
    "high-byte": "[gr\u00fcn]",
    "upper": "[WWW2]",
    "global-upper": "[GLOBAL]",
    "global-blank": "[ global ]",
    "comment-behind": "[www2] ; comment",
    "comment-tight": "[www2];comment",
    "blank-behind": "[www2]   ",
    "entry-behind": "[www2]pm.max_requests=7",
    "junk-behind": "[www2] junk",
    "tab-before": "\t[www2]",
    "blank-before": "  [www2]",
    "semicolon-inside": "[a;b]",
    "equals-inside": "[a=b]",
    "nested": "[a[b]]",
    "unclosed": "[www2",
    "unclosed-quote": '["www2]',
    "unopened": "www2]",
    "two-on-a-line": "[a][b]",
    "long": "[" + "n" * 200 + "]",
    "carriage-return": "[www2]\r",
    "backslash": r"[a\b]",
    "escaped-quote": r'["a\"b"]',
    "hash": "[#a]",
    "dollar": "[a$b]",
    "percent": "[a%b]",
}


def body(listen="{dir}/two.sock"):
    return section("x", {**POOL, "listen": listen}).partition("\n")[2]


@conforms(
    [
        Case(
            name,
            conf(more=header + "\n" + body()),
            environment={"NAME": "value"},
            who=("any",),
            differences=("syntax-errors", "all-problems"),
        )
        for name, header in HEADERS.items()
    ]
)
def test_header(pair, case):
    pair.check(case)


@conforms(
    [
        Case(
            "pool-continued", conf(more="[global]\nlog_limit = 600\n[www]\npm.max_requests = 5\n")
        ),
        Case("pool-continued-other-case", conf(more="[WWW]\npm.max_requests = 5\n")),
        Case("first-spelling-kept", conf(name="WwW", more="[www]\npm.max_requests = 5\n")),
        Case("global-continued", conf(more="[Global]\nprocess.max = 3\n")),
        Case("global-last", section("www", POOL) + section("global", GLOBAL)),
        Case("global-scope-first", "log_limit = 700\n" + conf(), says=("log_limit = 700",)),
        Case("two-pools", conf(more=section("b", {**POOL, "listen": "{dir}/b.sock"}))),
        Case(
            "ten-pools",
            conf(
                more="".join(
                    section(f"p{i}", {**POOL, "listen": f"127.0.0.1:{9000 + i}"}) for i in range(10)
                )
            ),
        ),
        Case(
            "definition-order",
            section("global", GLOBAL)
            + "".join(section(n, {**POOL, "listen": f"{{dir}}/{n}.sock"}) for n in "zamb"),
        ),
        Case("same-listen", conf(more=section("b", POOL)), code=78, says=("already used",)),
        Case(
            "same-listen-three",
            conf(more=section("b", POOL) + section("c", POOL)),
            code=78,
            differences=("all-problems",),
        ),
        Case(
            "same-port-other-text",
            conf({"listen": "9000"}, more=section("b", {**POOL, "listen": "0.0.0.0:9000"})),
            code=0,
        ),
        Case(
            "same-listen-relative",
            conf(
                {"listen": "www.sock", "prefix": "{dir}"},
                more=section("b", {**POOL, "listen": "{dir}/www.sock"}),
            ),
            code=78,
        ),
        Case("no-pool", section("global", GLOBAL), code=78, says=("No pool defined",)),
        Case("empty-pool", conf(more="[b]\n"), code=78, differences=("all-problems",)),
        Case("global-directive-in-pool", conf_lines("log_level = debug"), code=78),
        Case("global-array", conf_lines(global_lines="env[A] = x"), code=78),
        Case("global-array-unknown", conf_lines(global_lines="nothing[A] = x"), code=78),
        Case("global-array-no-key", conf_lines(global_lines="env[] = x"), code=78),
        Case("array-no-key", conf_lines("env[] = x"), code=78),
        Case("array-unknown", conf_lines("nothing[A] = x"), code=78),
        Case("array-wrong-case", conf_lines("ENV[A] = x"), code=78),
        Case("array-as-scalar", conf_lines("env = x"), code=78),
        Case("array-empty-value", conf_lines("env[A] ="), code=78),
        Case("php-value-empty", conf_lines("php_value[date.timezone] =")),
        Case("php-flag-empty", conf_lines("php_flag[display_errors] =")),
        Case("php-flag-bad", conf_lines("php_flag[display_errors] = perhaps"), code=78),
        Case("php-admin-flag-bad", conf_lines("php_admin_flag[log_errors] = 2"), code=78),
        Case("global-pool-word", conf_lines(global_lines="pid = {dir}/$pool.pid"), code=78),
        Case("global-pool-word-ident", conf_lines(global_lines="syslog.ident = $pool"), code=78),
    ]
)
def test_scope(pair, case):
    pair.check(case)


ARRAYS = """env[A] = 1
env[B] = 2
env[A] = 3
php_value[memory_limit] = 11M
php_flag[display_errors] = on
php_value[memory_limit] = 22M
php_admin_value[error_log] = /tmp/x
php_admin_flag[log_errors] = no
php_admin_flag[display_errors] = yes
env[C] = $pool and $HOME
"""
FLAGS = ["yes", "no", "on", "off", "1", "0", "true", "false", "none", '"yes"', '"no"', "YES"]


@conforms(
    [
        Case("order", conf_lines(ARRAYS)),
        Case("keys-verbatim", conf_lines("env[a b] = 1\nenv[MiXed] = 2\nphp_value[Foo.BAR] = 3")),
        Case("pool-word", conf_lines("env[X] = $pool-$pool\nphp_value[a] = $pool")),
        Case("pool-word-in-key", conf_lines("env[$pool] = 1")),
        Case("environment-raw", conf_lines("env[H] = $HOME"), says=("env[H] = $HOME",)),
        *(
            Case(f"flag-{value}", conf_lines(f"php_flag[a] = {value}\nphp_admin_flag[b] = {value}"))
            for value in FLAGS
        ),
        Case("suppress", conf_lines("access.suppress_path[] = /a\naccess.suppress_path[] = /b")),
        Case("suppress-key", conf_lines("access.suppress_path[x] = /a"), code=78),
        Case("suppress-value", conf_lines("access.suppress_path[] = a"), code=78),
        Case("suppress-both", conf_lines("access.suppress_path[x] = a"), code=78),
        Case("suppress-empty", conf_lines("access.suppress_path[] ="), code=78),
        Case("suppress-key-empty", conf_lines("access.suppress_path[x] ="), code=78),
        Case("suppress-global", conf_lines(global_lines="access.suppress_path[] = /a"), code=78),
        Case(
            "suppress-global-both", conf_lines(global_lines="access.suppress_path[k] = a"), code=78
        ),
        Case("suppress-scalar", conf_lines("access.suppress_path = /a"), code=78),
        Case("suppress-pool-word", conf_lines("access.suppress_path[] = /$pool")),
        Case("suppress-pool-word-first", conf_lines("access.suppress_path[] = $pool"), code=78),
    ],
    who=("any",),
)
def test_array(pair, case):
    pair.check(case)
