"""Writes the fuzzers' seeds and dictionaries: from the shipped files, the conformance cases, the table
of directives and protocol_seeds.py.

usage: make_seeds.py DIRECTORY      (gets a folder for each fuzzer and NAME.dict for each dictionary)
"""

import glob
import hashlib
import importlib
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, f"{ROOT}/tests/conformance", f"{ROOT}/tests/support"]
WORDS = """[global] [www] include php_flag php_admin_flag yes no on off true false none null static
    dynamic ondemand unlimited syslog ${ ${NAME} ${defined} ${NAME:-x} $pool $prefix \\" \\\\ ; = []
    1.conf 2.conf *.conf ' ( ) | & ^ ~ ! 30s 2m 1h 1d 2147483647 -1 99999999999 /ping
    127.0.0.1:9000 [::1]:9000 epoll local7 debug E_ALL""".split()


def directive_names():
    """From the reference, which a test keeps equal to the directive table."""
    with open(f"{ROOT}/docs/directives.md", encoding="utf-8") as file:
        return re.findall(r"^\| `([a-z_.]+)", file.read(), re.M)


def write_dictionary(path, words):
    with open(path, "w", encoding="ascii") as file:
        for word in dict.fromkeys(words):
            data = word.encode() if isinstance(word, str) else word
            escaped = "".join(
                chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}"
                for byte in data
            )
            file.write(f'"{escaped}"\n')


def texts():
    """(main text, further texts) of the shipped files and of the conformance cases."""
    for name in ("muster.conf", "pool.d/www.conf"):
        with open(f"{ROOT}/conf/{name}", encoding="utf-8") as file:
            yield file.read(), []
    for path in sorted(glob.glob(f"{ROOT}/tests/conformance/test_*.py")):
        module = importlib.import_module(os.path.basename(path)[:-3])
        for test in [getattr(module, name) for name in dir(module) if name.startswith("test_")]:
            for mark in getattr(test, "pytestmark", []):
                if mark.args[0] == "case,who":
                    yield from (adapted(parameter.values[0]) for parameter in mark.args[1])


def adapted(case):
    """Relative names: the fuzzer tries no file of the machine."""
    names = sorted(case.files)[:3]
    text = [case.text, *(case.files[name] for name in names)]
    for number, name in enumerate(names, 1):
        text = [one.replace(f"{{dir}}/{name}", f"{number}.conf") for one in text]
    text = [one.replace("{dir}/", "").replace("{dir}", ".") for one in text]
    return text[0], text[1:]


def write(place, data):
    with open(f"{place}/{hashlib.sha256(data).hexdigest()[:16]}", "wb") as file:
        file.write(data)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    protocol = importlib.import_module("protocol_seeds")
    for name in ("read_configuration", "read_ini", "decode_pool", *protocol.SEEDS):
        shutil.rmtree(f"{sys.argv[1]}/{name}", ignore_errors=True)
        os.makedirs(f"{sys.argv[1]}/{name}")
    for text, more in texts():
        for flags in b"65":  # the bits are explained in read_configuration.cpp
            data = bytes([flags]) + "\x1e".join([text, *more]).encode()
            write(f"{sys.argv[1]}/read_configuration", data[:8192])
        write(f"{sys.argv[1]}/read_ini", text.encode()[:2048])
    for name, seeds in protocol.SEEDS.items():
        for data in seeds():
            write(f"{sys.argv[1]}/{name}", data)
    names = directive_names()
    assert "pm.max_children" in names
    write_dictionary(f"{sys.argv[1]}/directives.dict", [*names, *WORDS, "\x1e"])
    for name, words in protocol.WORDS.items():
        write_dictionary(f"{sys.argv[1]}/{name}.dict", words)


main()
