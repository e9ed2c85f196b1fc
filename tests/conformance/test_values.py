"""How php-fpm's dialect reads one line: quotes, variables, reserved words, operators, comments."""

from compare.case import Case, conf_lines, conforms

ENVIRONMENT = {"SHELL_VARIABLE": "from shell", "YES_VARIABLE": "yes", "EMPTY_VARIABLE": ""}

# What env[V] becomes, seen in the dump. Every row of the specification's table of pieces.
PIECES = {
    "plain": "plain text",
    "trailing-blanks": "x   ",
    "tabs-around": "\t x \t",
    "inner-tab": "a\tb",
    "allowed-punctuation": "a{}$%':,/@#<>?*+-.b'",
    "dollar-percent": "a$%:,/@#<>?*+-.b",
    "brackets": "a[b]c",
    "braces": "a{b}c",
    "brace-open": "a{b",
    "quoted": '"a b"',
    "quoted-empty": '""',
    "quoted-semicolon": '"a;b"',
    "quoted-equals": '"a=b"',
    "quoted-single-inside": '"it\'s"',
    "escaped-quote": r'"a\"b"',
    "escaped-backslash": r'"a\\b"',
    "escaped-dollar": r'"a\$b"',
    "escaped-dollar-brace": r'"a\${SHELL_VARIABLE}b"',
    "escaped-letter": r'"a\nb"',
    "escaped-single": r'''"a\'b"''',
    "escaped-at-end": r'"a\\"',
    "backslash-unquoted": r"a\b",
    "backslash-quote-unquoted": r"a\"b",
    "blanks-around-quotes": 'a "b" c',
    "two-quoted": '"a" "b"',
    "two-quoted-adjacent": '"a""b"',
    "quoted-then-text": '"a"b',
    "quoted-blanks-inside": '"  a  "',
    "single": "'a b'",
    "single-empty": "''",
    "single-blanks-around": "a 'b' c",
    "single-keeps-dollar": "'${SHELL_VARIABLE}'",
    "single-keeps-backslash": r"'a\b'",
    "single-semicolon": "'a;b'",
    "single-equals": "'a=b'",
    "single-unmatched": "a'b",
    "single-unmatched-first": "'ab",
    "single-two": "'a''b'",
    "single-double-inside": "'a\"b'",
    "single-adjacent-double": "'a'\"b\"",
    "single-only-blank": "' '",
    "variable": "${SHELL_VARIABLE}",
    "variable-blanks": "${ SHELL_VARIABLE }",
    "variable-in-text": "a${SHELL_VARIABLE}b",
    "variable-in-text-blanks": "a ${SHELL_VARIABLE} b",
    "variable-quoted": '"a ${SHELL_VARIABLE} b"',
    "variable-unset": "a${NO_SUCH_VARIABLE}b",
    "variable-unset-alone": "${NO_SUCH_VARIABLE}",
    "variable-empty": "${EMPTY_VARIABLE}",
    "variable-no-name": "a${}b",
    "variable-unclosed": "a${SHELL_VARIABLE",
    "variable-two": "${SHELL_VARIABLE}${YES_VARIABLE}",
    "variable-nested": "${${SHELL_VARIABLE}}",
    "variable-of-ini": "${memory_limit}x",
    "variable-fallback": "a${NO_SUCH_VARIABLE:-fallback}b",
    "variable-yes": "${YES_VARIABLE}",
    "dollar-name": "$SHELL_VARIABLE",
    "dollar-name-inside": "x$SHELL_VARIABLE",
    "dollar-alone": "$",
    "dollar-dollar": "$$",
    "dollar-digit": "$1",
    "dollar-brace-end": "a$}",
    "pool": "$pool",
    "pool-inside": "a$poolb$pool",
    "pool-quoted": '"$pool"',
    "pool-single": "'$pool'",
    "pool-escaped": r'"\$pool"',
    "true": "true",
    "on": "on",
    "yes": "yes",
    "Yes": "Yes",
    "TRUE": "TRUE",
    "false": "false",
    "off": "off",
    "no": "no",
    "none": "none",
    "null": "null",
    "NULL": "NULL",
    "word-first": "true story",
    "word-last": "a no",
    "word-between": "a yes b",
    "word-before-quote": 'yes "a"',
    "word-after-quote": '"a" yes',
    "word-before-single": "no 'a'",
    "word-twice": "yes yes",
    "word-before-variable": "yes ${SHELL_VARIABLE}",
    "word-in-token": "nothing",
    "word-with-comma": "no,yes",
    "word-with-dash": "no-yes",
    "word-with-dot": "yes.no",
    "word-quoted": '"yes"',
    "word-before-comment": "yes;comment",
    "word-before-comment-blank": "yes ; comment",
    "word-tab": "yes\t",
    "number": "12",
    "number-negative": "-12",
    "number-float": "1.50",
    "number-leading-zero": "007",
    "number-hex": "0x1F",
    "number-exponent": "1e3",
    "number-then-word": "12 abc",
    "number-with-unit": "12M",
    "constant-like": "NO_SUCH_CONSTANT",
    "comment": "a;b",
    "comment-blank": "a ; b",
    "comment-after-quotes": '"a";b',
    "comment-after-single": "'a' ; b",
    "comment-only": "; b",
    "comment-hash": "a # b",
    "equals-second": "a=b",
    "equals-blank": "a = b",
    "equals-first": "= b",
    "equals-quoted-later": 'a "="',
    "or": "5 | 2",
    "or-tight": "5|2",
    "or-words": "a|b",
    "or-three": "1|2|4",
    "and": "6 & 3",
    "xor": "6 ^ 3",
    "not": "~5",
    "not-blank": "~ 5",
    "negate": "!x",
    "negate-zero": "!0",
    "negate-empty": "!",
    "parentheses": "(5|2)",
    "parentheses-and": "(5|2)&3",
    "parentheses-empty": "()",
    "parentheses-open": "(5",
    "parentheses-close": "5)",
    "parentheses-nested": "((5))",
    "or-missing-right": "5 |",
    "or-missing-left": "| 5",
    "or-quoted": '"5" | "2"',
    "or-single": "'5' | 2",
    "or-variable": "${EMPTY_VARIABLE} | 4",
    "or-large": "4294967296 | 1",
    "not-or": "~5 | 1",
    "not-after-text": "a~b",
    "parenthesis-after-text": "a(b",
    "negate-after-text": "a!b",
    "not-quoted": '"a~b"',
    "quote-open": '"abc',
    "quote-open-later": 'a "b',
    "quote-alone": '"',
    "quote-three": '"a"b"',
    "quote-then-not": '"a"~5',
    "quote-backslash-open": r'"a\"',
    "high-bytes": "gr\u00fc\u00df",
    "control-byte": "a\x01b",
    "delete-byte": "a\x7fb",
    "nul": "a\0b",
    "carriage-return": "a\rb",
    "form-feed": "a\fb",
    "vertical-tab": "a\vb",
    "backquote": "`a`",
    "bracket-open-first": "[a",
    "bracket-close-first": "]a",
    "colon-slash": "http://a.b/c?d",
    "long": "x" * 1500,
    "long-3000": "x" * 3000,
    "long-quoted": '"' + "x y " * 400 + '"',
}


def case_of_value(name, value):
    return Case(
        f"env-{name}",
        conf_lines(f"env[V] = {value}"),
        environment=ENVIRONMENT,
        who=("any",),
        differences=("syntax-errors",),
    )


def case_of_scalar(name, value):
    return Case(
        f"response-{name}",
        conf_lines(f"ping.path = /ping\nping.response = {value}"),
        environment=ENVIRONMENT,
        who=("any",),
        differences=("syntax-errors",),
    )


@conforms([case_of_value(*item) for item in PIECES.items()])
def test_array_value(pair, case):
    pair.check(case)


@conforms([case_of_scalar(*item) for item in PIECES.items()])
def test_scalar_value(pair, case):
    pair.check(case)


LINES = {
    "blank": "   ",
    "tabs": "\t\t",
    "comment": "; comment",
    "comment-indented": "   ; comment",
    "comment-tab": "\t; comment",
    "hash-blank": "# comment",
    "hash-entry": "#foo=1",
    "indented": "   pm.max_requests = 5",
    "indented-tab": "\tpm.max_requests = 5",
    "no-blanks": "pm.max_requests=5",
    "tabs-around-equals": "pm.max_requests\t=\t5",
    "upper-case": "PM.Max_Requests = 5",
    "inner-blank": "clear env = yes",
    "inner-tab": "clear\tenv = yes",
    "inner-tab-then-value": "pm.max_requests\t5",
    "trailing-blank-key": "pm.max_requests   = 5",
    "empty-key": "= 5",
    "only-equals": "=",
    "double-equals": "pm.max_requests == 5",
    "colon": "pm.max_requests: 5",
    "no-value": "pm.max_requests",
    "no-value-comment": "pm.max_requests ; comment",
    "empty-value-comment": "pm.max_requests = ; comment",
    "two-on-one-line": "pm.max_requests = 5 ping.path = /p",
    "quoted-key": '"pm.max_requests" = 5',
    "single-quoted-key": "'pm.max_requests' = 5",
    "dollar-key": "$pm = 5",
    "brace-key": "{pm} = 5",
    "bang-key": "!pm = 5",
    "tilde-key": "~pm = 5",
    "or-key": "a|b = 5",
    "and-key": "a&b = 5",
    "caret-key": "^pm = 5",
    "paren-key": "(pm) = 5",
    "semicolon-key": "pm;max = 5",
    "high-byte-key": "pm\u00fc = 5",
    "number-key": "5 = 5",
    "key-true": "true = 5",
    "key-no": "no = 5",
    "key-None": "None = 5",
    "key-null-alone": "null",
    "key-yes-array": "yes[a] = 5",
    "carriage-return-end": "pm.max_requests = 5\r",
    "carriage-return-two": "pm.max_requests = 5\rpm.max_requests = 6",
    "carriage-return-only": "\r",
    "nul-in-key": "pm.max\0_requests = 5",
    "nul-after": "pm.max_requests = 5\0 garbage = =",
    "nul-first": "\0garbage = =",
    "array-key-blank": "env[ A ] = x",
    "array-key-quoted": 'env["A B"] = x',
    "array-key-single": "env['A'] = x",
    "array-key-variable": "env[${SHELL_VARIABLE}] = x",
    "array-key-pool": "env[$pool] = x",
    "array-key-yes": "env[yes] = x",
    "array-key-number": "env[5] = x",
    "array-key-dots": "php_value[a.b] = x",
    "array-key-unclosed": "env[A = x",
    "array-key-nested": "env[a[b]] = x",
    "array-blank-before": "env [A] = x",
    "array-blank-before-equals": "env[A]   = x",
    "array-text-behind": "env[A]b = x",
    "array-no-value": "env[A]",
    "array-empty": "env[A] =",
    "array-empty-quoted": 'env[A] = ""',
    "array-comment": "env[A] = x ; c",
    "array-two-dimensions": "env[A][B] = x",
    "array-semicolon": "env[A;B] = x",
    "array-equals": "env[A=B] = x",
    "include-empty": "include =",
    "include-upper": "INCLUDE = x",
    "include-array": "include[a] = x",
    "include-alone": "include",
    "bracket-close": "]",
    "garbage": "%$&/()=?",
    "binary": "\x01\x02\x03",
    "long-key": "x" * 3000 + " = 1",
    "long-line-comment": ";" + "x" * 70000,
}


@conforms(
    [
        Case(
            name,
            conf_lines(line),
            environment=ENVIRONMENT,
            who=("any",),
            differences=("syntax-errors",),
        )
        for name, line in LINES.items()
    ]
)
def test_line(pair, case):
    pair.check(case)


WHOLE = {
    "empty": "",
    "only-newlines": "\n\n\n",
    "no-final-newline": conf_lines("pm.max_requests = 5").rstrip("\n"),
    "crlf": conf_lines("pm.max_requests = 5").replace("\n", "\r\n"),
    "cr-only": conf_lines("pm.max_requests = 5").replace("\n", "\r"),
    "byte-order-mark": "\ufeff" + conf_lines("pm.max_requests = 5"),
    "byte-order-mark-inside": conf_lines("\ufeffpm.max_requests = 5"),
    "only-comment": "; nothing\n",
    "only-global": "[global]\nerror_log = {dir}/error.log\n",
    "directives-before-section": "error_log = {dir}/error.log\n" + conf_lines(),
    "pool-directive-before-section": "pm = static\n" + conf_lines(),
    "quote-over-lines": conf_lines('env[A] = "a\nb"'),
    "backslash-newline": conf_lines("env[A] = a\\\nb"),
    "utf-16": "\ufeff[global]\n".encode("utf-16-le").decode("latin-1"),
    "many-comments": "; x\n" * 5000 + conf_lines(),
    "many-entries": conf_lines("\n".join(f"env[V{i}] = {i}" for i in range(300))),
}


@conforms(
    [
        Case(
            name,
            text,
            folders=("log",),
            arguments=("-n", "-p", "{dir}", "-y", "{dir}/fpm.conf", "-tt"),
            who=("any",),
            differences=("syntax-errors",),
        )
        for name, text in WHOLE.items()
    ]
)
def test_file(pair, case):
    pair.check(case)


BOOLEAN_FROM = {
    "variable-yes": ("${FLAG}", "yes"),
    "variable-YES": ("${FLAG}", "YES"),
    "variable-1": ("${FLAG}", "1"),
    "variable-0": ("${FLAG}", "0"),
    "variable-empty": ("${FLAG}", ""),
    "variable-off": ("${FLAG}", "off"),
    "variable-bad": ("${FLAG}", "perhaps"),
    "bits": ("1|0", ""),
    "negated": ("!1", ""),
    "negated-0": ("!0", ""),
}


@conforms(
    [
        Case(
            name,
            conf_lines(f"catch_workers_output = {value}"),
            environment={"FLAG": content},
            who=("any",),
        )
        for name, (value, content) in BOOLEAN_FROM.items()
    ]
)
def test_boolean_from(pair, case):
    pair.check(case)


@conforms(
    [
        Case(
            "defined-beats-environment",
            conf_lines("env[V] = ${SHELL_VARIABLE}"),
            arguments=("-n", "-d", "SHELL_VARIABLE=defined", "-y", "{dir}/fpm.conf", "-tt"),
            environment=ENVIRONMENT,
            says=("env[V] = defined",),
        ),
        Case(
            "defined-yes",
            conf_lines("env[V] = a${V1}b"),
            arguments=("-n", "-d", "V1", "-y", "{dir}/fpm.conf", "-tt"),
            says=("env[V] = a1b",),
        ),
        Case(
            "from-php-ini",
            conf_lines("env[V] = a${made.up}b"),
            files={"p.ini": "made.up = ini\n"},
            arguments=("-c", "{dir}/p.ini", "-y", "{dir}/fpm.conf", "-tt"),
            says=("env[V] = ainib",),
            who=("any",),
        ),
        Case(
            "constants",
            conf_lines(
                "env[V] = PHP_OS\nenv[W] = E_ALL & ~E_DEPRECATED\nenv[X] = xE_ALL\n"
                "env[Y] = a E_STRICT b\nenv[Z] = E_ALL/x\n"
            ),
            who=("any",),
        ),
        Case(
            "other-constants",
            conf_lines("env[V] = M_PI"),
            differences=("constants",),
            instead=(("env[V] = 3.1415926535898", "env[V] = M_PI"),),
            who=("any",),
        ),
    ]
)
def test_variable_source(pair, case):
    pair.check(case)
