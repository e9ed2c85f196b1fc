# Proves of every lint test that it finds a violation and leaves a clean tree alone.
import tempfile
import unittest
from pathlib import Path

import architecture
import dangerous_acts
import first_lines
import include_arrows
import migration_guide
import no_marks
import tree


class LintCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="muster-lint-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def assert_finds(self, lint, *parts):
        findings = lint.check(self.root)
        self.assertEqual(len(findings), 1, findings)
        for part in parts:
            self.assertIn(part, findings[0])

    def assert_clean(self, lint):
        self.assertEqual(lint.check(self.root), [])


class Noise(unittest.TestCase):
    def test_comments_and_strings_are_blanked_and_lines_kept(self):
        text = 'a("fork()"); // fork()\n/* fork()\n*/ b(1\'000, \'"\', "x");\nR"(fork(")");c'
        blank = tree.blank_noise(text)
        self.assertNotIn("fork", blank)
        self.assertEqual(blank.count("\n"), text.count("\n"))
        self.assertTrue(blank.endswith(";c"))


class MigrationGuide(LintCase):
    ENTRY = (
        "### `one-thing` One | thing\n\n- **php-fpm** does\n  this.\n"
        "- **muster** does that.\n- **Reason**: because.\n"
    )

    def setUp(self):
        super().setUp()
        self.write("tests/conformance/differences.md", "# Title\n\n" + self.ENTRY)
        marks = migration_guide.BEGIN + migration_guide.END
        self.write("docs/migrating-from-php-fpm.md", f"# Guide\n\n{marks}\nMore\n")

    def test_a_table_that_fell_behind_is_found_and_made_anew(self):
        self.assert_finds(migration_guide, "docs/migrating-from-php-fpm.md", "--write")
        migration_guide.write(self.root)
        self.assert_clean(migration_guide)
        guide = (self.root / "docs/migrating-from-php-fpm.md").read_text(encoding="utf-8")
        self.assertIn("| One \\| thing | does this. | does that. | because. |\n", guide)
        self.assertTrue(guide.endswith("More\n"))

    def test_finds_an_entry_without_a_reason(self):
        entry = self.ENTRY.replace("- **Reason**: because.\n", "")
        self.write("tests/conformance/differences.md", entry)
        migration_guide.write(self.root)
        self.assert_finds(migration_guide, "`one-thing` has no item **Reason**:")

    def test_finds_a_guide_without_the_marks(self):
        self.write("docs/migrating-from-php-fpm.md", "# Guide\n")
        self.assert_finds(migration_guide, "the marks")


class IncludeArrows(LintCase):
    def setUp(self):
        super().setUp()
        self.write("src/base/io.h")
        self.write("src/worker/runtime.h", '#include "base/io.h"\n')
        self.write("src/worker/worker.h")

    def test_finds_an_include_against_the_arrows(self):
        self.write("src/base/bad.cpp", '#include "base/io.h"\n#include "worker/worker.h"\n')
        self.assert_finds(include_arrows, "src/base/bad.cpp:2", "breaks the arrows")

    def test_a_runtime_may_include_the_interface_alone(self):
        self.write("src/runtime/php/good.cpp", '#include "worker/runtime.h"\n')
        self.assert_clean(include_arrows)
        self.write("src/runtime/php/bad.cpp", '#include "worker/worker.h"\n')
        self.assert_finds(include_arrows, "src/runtime/php/bad.cpp:1")

    def test_nobody_includes_a_runtime(self):
        self.write("src/runtime/php/sapi.h")
        self.write("src/master/bad.cpp", '#include "runtime/php/sapi.h"\n')
        self.assert_finds(include_arrows, "src/master/bad.cpp:1")

    def test_finds_an_include_that_does_not_go_by_room(self):
        self.write("src/base/bad.cpp", '#include "io.h"\n')
        self.assert_finds(include_arrows, "does not exist")

    def test_finds_a_room_without_arrows(self):
        self.write("src/attic/old.cpp")
        self.assert_finds(include_arrows, "is in no room")


class DangerousActs(LintCase):
    def test_each_act_is_found_outside_its_file(self):
        for home, names in dangerous_acts.ACTS.items():
            for name in names.split():
                with self.subTest(act=name):
                    (self.root / "src/master/bad.cpp").unlink(missing_ok=True)
                    self.write(home, f"int a() {{ return ::{name}(0); }}\n")
                    self.assert_clean(dangerous_acts)
                    self.write("src/master/bad.cpp", f"\nint b() {{ return {name} (0); }}\n")
                    self.assert_finds(dangerous_acts, "src/master/bad.cpp:2", name, home)

    def test_std_qualified_calls_are_found(self):
        self.write("src/master/bad.cpp", "auto old = std::signal(2, handler);\n")
        self.assert_finds(dangerous_acts, "src/base/signals.cpp")

    def test_calls_within_expressions_are_found(self):
        for code in ("if (fork() == 0) {}", "x = a && fork();", "else\n  fork();", "return ::fork();"):
            with self.subTest(code=code):
                self.write("src/master/bad.cpp", code)
                self.assert_finds(dangerous_acts, "src/base/process.cpp")

    def test_members_types_and_comments_are_left_alone(self):
        self.write(
            "src/master/good.cpp",
            'struct sigaction action; // fork()\nqueue.wait(); loop->signal(1); log("fork()");\n'
            "process::fork(a); base::wait(b); waitpids(c);\n"
            "Result<pid_t> fork();\nstd::unique_ptr<a::Formatter> clone() const;\nint wait(int);\n",
        )
        self.assert_clean(dangerous_acts)

    def test_php_headers_are_found_outside_the_runtime(self):
        self.write("src/runtime/php/good.cpp", "#include <main/php.h>\n")
        self.assert_clean(dangerous_acts)
        self.write("src/worker/bad.cpp", "#include <php.h>\n")
        self.assert_finds(dangerous_acts, "src/worker/bad.cpp:1", "src/runtime/php/")


class FirstLines(LintCase):
    def test_finds_a_file_that_does_not_introduce_itself(self):
        self.write("src/base/good.h", "// What the good file is responsible for.\n#pragma once\n")
        self.write("scripts/good", "#!/bin/sh\n# What the good script is responsible for.\n")
        self.assert_clean(first_lines)
        self.write("src/base/bad.h", "#pragma once\n")
        self.assert_finds(first_lines, "src/base/bad.h:1")

    def test_looks_behind_the_interpreter_line(self):
        self.write("bench/bad", "#!/usr/bin/env bash\nset -eu\n")
        self.assert_finds(first_lines, "bench/bad:1")


class NoMarks(LintCase):
    def test_finds_unfinished_business(self):
        self.write("src/base/good.cpp", "// Everything done; mktemp name.XXXXXX is no mark.\n")
        self.assert_clean(no_marks)
        self.write("docs/bad.md", "fine\n" + "TO" + "DO: the rest\n")
        self.assert_finds(no_marks, "docs/bad.md:2")

    def test_finds_the_path_of_a_machine(self):
        for path in ("/ro" + "ot/muster", "/ho" + "me/somebody/muster", "/tm" + "p/build/muster"):
            with self.subTest(path=path):
                self.write("docs/bad.md", f"see {path}\n")
                self.assert_finds(no_marks, "docs/bad.md:1")

    def test_leaves_system_and_temporary_templates_alone(self):
        self.write("docs/good.md", "/etc/muster/muster.conf, /run/php, $folder/root/a, /tmp/x.XXXX\n")
        self.assert_clean(no_marks)


class Architecture(LintCase):
    def setUp(self):
        super().setUp()
        self.write("src/base/io.h")
        self.write("src/base/io.cpp")

    def test_a_pair_or_a_bare_name_stands_for_both_files(self):
        for mention in ("`src/base/io.{h,cpp}`", "`base/io`", "src/base/io.h and src/base/io.cpp."):
            with self.subTest(mention=mention):
                self.write("ARCHITECTURE.md", mention)
                self.assert_clean(architecture)

    def test_a_row_of_a_room_may_list_bare_names(self):
        self.write("ARCHITECTURE.md", "| `base/` | clock, io |\n")
        self.assert_clean(architecture)
        self.write("ARCHITECTURE.md", "| `log/` | clock, io |\n| `base/` | ios |\n")
        self.assertEqual(len(architecture.check(self.root)), 2)

    def test_finds_a_file_that_is_not_mentioned(self):
        self.write("src/base/new_act.cpp")
        self.write("ARCHITECTURE.md", "src/base/io.{h,cpp}, base/new\n")
        self.assert_finds(architecture, "src/base/new_act.cpp", "not mentioned")

    def test_finds_a_named_file_that_is_gone(self):
        for name in ("src/base/gone.cpp", "`base/gone.cpp`", "src/base/gone"):
            with self.subTest(name=name):
                self.write("ARCHITECTURE.md", f"base/io, tests/base/gone.cpp\n\n{name}.\n")
                self.assert_finds(architecture, "ARCHITECTURE.md:3", "src/base/gone")


if __name__ == "__main__":
    unittest.main()
