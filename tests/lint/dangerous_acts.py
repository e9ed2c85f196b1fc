# Checks that fork, signals, identity, shared memory and PHP's headers each stay in their one place.
import re

import tree

# the one file: the functions that only it may call
ACTS = {
    "src/base/process.cpp": (
        "fork vfork _Fork clone clone3 execv execve execvp execvpe execl execle execlp fexecve "
        "execveat posix_spawn posix_spawnp system popen wait waitpid waitid wait3 wait4"
    ),
    "src/base/signals.cpp": (
        "signal sigaction sigprocmask pthread_sigmask sigsuspend sigwait sigwaitinfo sigtimedwait "
        "signalfd"
    ),
    "src/base/identity.cpp": (
        "setuid setgid seteuid setegid setreuid setregid setresuid setresgid setgroups initgroups "
        "setfsuid setfsgid"
    ),
    "src/base/process_memory.cpp": "process_vm_readv process_vm_writev ptrace",
    "src/base/root_directory.cpp": "chroot pivot_root cap_set_proc capset",
    "src/base/shared_memory.cpp": (
        "mmap mmap64 munmap mremap mprotect memfd_create shm_open shmget shmat"
    ),
}
HOME_OF = {name: home for home, names in ACTS.items() for name in names.split()}

# The plain name with :: or std:: before it; members and other namespaces are ours.
USE = re.compile(
    r"(?<![\w.:>])(?:std\s*::\s*|::\s*)?\b(" + "|".join(sorted(HOME_OF)) + r")\s*\("
)
LAST_WORD = re.compile(r"(\w+|>)\s*$")
STATEMENTS = {"return", "co_return", "co_await", "co_yield", "else", "do", "throw", "not"}
PHP_HEADER = re.compile(
    r'^[ \t]*#[ \t]*include[ \t]*[<"]((?:php|zend|SAPI|TSRM|main/|Zend/|ext/|sapi/)[^>"]*)',
    re.MULTILINE,
)
PHP_HOME = "src/runtime/php/"


def is_call(before):
    """No type stands before the name, so it is not a declaration of a function of our own."""
    word = LAST_WORD.search(before[-200:])
    return word is None or word.group(1) in STATEMENTS


def check(root):
    findings = []
    for path in tree.cpp_files(root):
        text = (root / path).read_text(encoding="utf-8")
        code = tree.blank_noise(text)
        for match in USE.finditer(code):
            name = match.group(1)
            if str(path) != HOME_OF[name] and is_call(code[: match.start()]):
                line = tree.line_of(code, match.start(1))
                findings.append(f"{path}:{line}: {name}() belongs in {HOME_OF[name]} alone")
        for match in PHP_HEADER.finditer(text):
            if not str(path).startswith(PHP_HOME):
                line = tree.line_of(text, match.start(1))
                findings.append(f"{path}:{line}: <{match.group(1)}> belongs under {PHP_HOME} alone")
    return findings


if __name__ == "__main__":
    tree.main(check)
