"""include: order, nesting, patterns, scope, and everything that can go wrong."""

from compare.case import GLOBAL, POOL, Case, conf, conf_lines, conforms, section


def pool(name, **more):
    return section(name, {**POOL, "listen": f"{{dir}}/{name}.sock", **more})


def head(lines):
    return section("global", GLOBAL) + lines + "\n"


NESTED = {
    f"{level}.conf": f"include = {{dir}}/{level + 1}.conf\n[p{level}]\n"
    + pool("x").partition("\n")[2].replace("x.sock", f"p{level}.sock")
    for level in range(1, 9)
}


def nested(deepest):
    files = {f"{n}.conf": NESTED[f"{n}.conf"] for n in range(1, deepest)}
    files[f"{deepest}.conf"] = pool(f"p{deepest}")
    return files


BAD = "[b]\nnonsense_entry = 1\n"
SECRET = {"secret.conf": pool("s")}

CASES = [
    Case("one", head("include = {dir}/a.conf"), {"a.conf": pool("a")}, code=0),
    Case(
        "order-of-names",
        head("include = {dir}/pool.d/*.conf"),
        {f"pool.d/{n}.conf": pool(n) for n in ["b", "a", "Z", "a-b", "a_b", "10", "9"]},
        code=0,
    ),
    Case(
        "dotfiles-and-others-not-matched",
        head("include = {dir}/pool.d/*.conf"),
        {
            "pool.d/.hidden.conf": BAD,
            "pool.d/x.conf.bak": BAD,
            "pool.d/a.conf": pool("a"),
        },
        code=0,
    ),
    Case(
        "directory-skipped",
        head("include = {dir}/pool.d/*"),
        {"pool.d/a.conf": pool("a"), "pool.d/dir.conf/b.conf": BAD},
        code=0,
    ),
    Case(
        "directory-itself", head("include = {dir}/pool.d") + pool("a"), folders=("pool.d",), code=0
    ),
    Case("empty-value", head("include =") + pool("a"), code=0),
    Case("no-match", conf() + "include = {dir}/none/*.conf\n", folders=("none",), code=0),
    Case("no-match-file", conf() + "include = {dir}/nothing.conf\n"),
    Case("no-match-twice", conf() + "include = {dir}/x*.conf\ninclude = {dir}/y*.conf\n", code=0),
    Case("missing-directory", conf() + "include = {dir}/missing/*.conf\n", code=78),
    Case("missing-directory-wild", conf() + "include = {dir}/missing/*/x.conf\n"),
    Case("missing-below-pattern", conf() + "include = {dir}/*/missing/x.conf\n"),
    Case("question-mark", head("include = {dir}/?.conf"), {"a.conf": pool("a"), "ab.conf": BAD}),
    Case("brackets", head("include = {dir}/[ab].conf"), {"a.conf": pool("a"), "c.conf": BAD}),
    Case("braces", head("include = {dir}/{a,c}.conf") + pool("q"), {"a.conf": pool("a")}),
    Case("quoted", head('include = "{dir}/a b.conf"'), {"a b.conf": pool("a")}, code=0),
    Case("variable", head("include = ${WHERE}/a.conf"), {"a.conf": pool("a")}, code=0),
    Case("pool-word-not-expanded", conf() + "include = {dir}/$pool.conf\n", {"www.conf": BAD}),
    Case(
        "in-pool-section",
        conf(more="include = {dir}/a.conf\n"),
        {"a.conf": "pm.max_requests = 5\n"},
    ),
    Case(
        "scope-stays-in-the-included-pool",
        conf(more="include = {dir}/a.conf\npm.max_requests = 5\n"),
        {"a.conf": pool("a")},
        code=0,
    ),
    Case(
        "scope-goes-in",
        conf_lines("include = {dir}/a.conf"),
        {"a.conf": "pm.max_requests = 5\n[global]\nlog_limit = 600\n"},
        code=0,
    ),
    Case(
        "global-directive-goes-in",
        head("include = {dir}/a.conf") + pool("a"),
        {"a.conf": "log_limit = 600\n"},
    ),
    Case(
        "twice-the-same",
        head("include = {dir}/a.conf\ninclude = {dir}/a.conf"),
        {"a.conf": pool("a")},
    ),
    Case(
        "value-of-later-file-wins",
        head("include = {dir}/*.inc"),
        {
            "a.inc": pool("a", **{"pm.max_requests": "5"}),
            "b.inc": pool("a", **{"pm.max_requests": "6"}),
        },
    ),
    Case("deep-4", head("include = {dir}/1.conf"), nested(4), code=0),
    Case(
        "deep-5",
        head("include = {dir}/1.conf"),
        nested(5),
        code=78,
        says=("failed to include more than 5 files recursively",),
        differences=("line-numbers",),
        place=1,
        instead=(("from {dir}/fpm.conf at line 1", "from {dir}/fpm.conf at line 3"),),
    ),
    Case(
        "loop-to-itself",
        head("include = {dir}/fpm.conf") + pool("a"),
        code=78,
        differences=("line-numbers", "all-problems"),
        place=3,
    ),
    Case(
        "unknown-entry",
        head("include = {dir}/a.conf"),
        {"a.conf": BAD},
        code=78,
        differences=("line-numbers", "all-problems"),
        place=2,
        instead=(("from {dir}/fpm.conf at line 2", "from {dir}/fpm.conf at line 3"),),
    ),
    Case(
        "relative-to-prefix",
        head("include = a.conf"),
        {"a.conf": pool("a")},
        arguments=("-n", "-p", "{dir}", "-y", "{dir}/fpm.conf", "-tt"),
        code=0,
    ),
    Case("relative-without-prefix", head("include = no/such.conf") + pool("a")),
    Case("relative-without-prefix-wild", head("include = no/such/*.conf") + pool("a")),
    Case(
        "relative-not-pool-prefix", conf_lines("prefix = {dir}\ninclude = a.conf"), {"a.conf": BAD}
    ),
    Case(
        "unterminated-last-line",
        head("include = {dir}/a.conf") + pool("b"),
        {"a.conf": pool("a").rstrip("\n")},
        code=0,
    ),
    Case(
        "bom-in-included", head("include = {dir}/a.conf"), {"a.conf": "\ufeff" + pool("a")}, code=0
    ),
    Case("empty-file", head("include = {dir}/a.conf") + pool("b"), {"a.conf": ""}, code=0),
]


@conforms([case.but(environment={"WHERE": "{dir}"}) for case in CASES])
def test_include(pair, case):
    pair.check(case)


def numbered(name, text, files, place, differences=("line-numbers",)):
    return Case(name, text, files, code=78, differences=differences, place=place, who=("any",))


@conforms(
    [
        numbered(
            "error-after-an-include",
            head("include = {dir}/a.conf") + "[www]\nnonsense = 1\n",
            {"a.conf": "\n\n\n" + pool("a")},
            5,
        ),
        numbered(
            "warning-after-an-include",
            head("include = {dir}/a.conf\ninclude = {dir}/nothing*"),
            {"a.conf": pool("a")},
            4,
            ("line-numbers",),
        ).but(code=0),
        numbered(
            "error-inside-a-second-include",
            head("include = {dir}/a.conf\ninclude = {dir}/b.conf"),
            {"a.conf": "\n\n" + pool("a"), "b.conf": "[b]\n\nnonsense = 1\n"},
            4,
        ).but(instead=(("{dir}/b.conf:4]", "{dir}/b.conf:3]"),)),
    ]
)
def test_line_number(pair, case):
    pair.check(case)


@conforms(
    [
        Case("main-file-missing", arguments=("-n", "-y", "{dir}/none.conf", "-t"), code=78),
        Case("main-file-empty-name", arguments=("-n", "-y", "", "-p", "{dir}", "-t"), code=78),
        Case("main-file-directory", arguments=("-n", "-y", "{dir}", "-t"), code=78),
        Case("main-file-below-file", arguments=("-n", "-y", "{dir}/fpm.conf/x", "-t"), code=78),
        Case("main-file-relative", conf(), arguments=("-n", "-y", "fpm.conf", "-t"), code=0),
        Case("main-file-long-name", arguments=("-n", "-y", "n" * 300, "-t"), code=78),
    ]
)
def test_main_file(pair, case):
    pair.check(case)
