// fork, exec, wait and what a process shows of itself.
#include "base/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/limits.h"
#include "base/signals.h"

namespace muster {

Result<pid_t> forkChild(const std::function<int()>& child) {
    const SignalBlock block;
    const pid_t pid = ::fork();
    if (pid < 0) {
        return errnoError("fork() failed");
    }
    if (pid == 0) {
        resetSignals();
        ::_exit(child());
    }
    return pid;
}

Result<pid_t> execChild(const std::string& program, const std::vector<std::string>& arguments,
                        std::span<const InheritedFd> descriptors) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    return forkChild([&] {
        // First out of the way of every target number, then into place.
        std::vector<InheritedFd> moved(descriptors.begin(), descriptors.end());
        int floor = 3;
        for (const InheritedFd& entry : moved) {
            floor = std::max(floor, entry.theirs + 1);
        }
        for (InheritedFd& entry : moved) {
            entry.ours = ::fcntl(entry.ours, F_DUPFD_CLOEXEC, floor);
        }
        std::vector<int> keep;
        for (const InheritedFd& entry : moved) {
            if (entry.ours < 0 || ::dup2(entry.ours, entry.theirs) < 0) {
                return 127;
            }
            keep.push_back(entry.theirs);
        }
        closeAllExcept(std::move(keep));
        lowerOwnFileLimit();
        unblockAllSignals();
        ::execve(program.c_str(), argv.data(), environ);
        return 127;
    });
}

std::optional<ChildExit> reapChild(Reap which) {
    const int options = WNOHANG | (which == Reap::deadOrStopped ? WUNTRACED : 0);
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, options);
        if (pid > 0) {
            return ChildExit{pid, status};
        }
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        return std::nullopt;
    }
}

bool hasChildren() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

Result<int> waitChild(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return errnoError("waitpid");
        }
    }
    return status;
}

std::string describeExit(int status) {
    if (WIFEXITED(status)) {
        return "with code " + std::to_string(WEXITSTATUS(status));
    }
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        return "on signal " + std::to_string(signal) + " (" + signalName(signal) +
               (WCOREDUMP(status) ? " - core dumped)" : ")");
    }
    return "with status " + std::to_string(status);
}

void closeAllExcept(std::vector<int> keep) {
    std::sort(keep.begin(), keep.end());
    unsigned next = 3;
    for (const int fd : keep) {
        const auto kept = static_cast<unsigned>(fd);
        if (kept < next) {
            continue;
        }
        if (kept > next) {
            ::syscall(SYS_close_range, next, kept - 1, 0U);
        }
        next = kept + 1;
    }
    ::syscall(SYS_close_range, next, ~0U, 0U);
}

std::vector<int> openDescriptors() {
    std::vector<int> descriptors;
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) {
        return descriptors;
    }
    while (const dirent* entry = ::readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != ::dirfd(directory)) {
            descriptors.push_back(fd);
        }
    }
    ::closedir(directory);
    std::sort(descriptors.begin(), descriptors.end());
    return descriptors;
}

void becomeSubreaper() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
}

bool followParent(pid_t parent, int signal) {
    ::prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal), 0UL, 0UL, 0UL);
    return ::getppid() == parent;
}

void outliveParent() {
    ::prctl(PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL);
}

Result<void> fillStandardStreams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        // The lowest free number is the one that is missing.
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) {
            return errnoError("failed to init stdio: open(\"/dev/null\")");
        }
    }
    return {};
}

Result<void> becomeDumpable() {
    if (::prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL) < 0) {
        return errnoError("failed to prctl(PR_SET_DUMPABLE)");
    }
    return {};
}

Result<void> nullStandardStreams(std::initializer_list<int> fds) {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) {
        return errnoError("failed to init stdio: open(\"/dev/null\")");
    }
    for (const int fd : fds) {
        if (::dup2(null.get(), fd) < 0) {
            return errnoError("failed to init stdio: dup2()");
        }
    }
    return {};
}

Result<std::string> executablePath() {
    char buffer[4096];
    const ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer - 1);
    if (n < 0) {
        return errnoError("readlink(/proc/self/exe)");
    }
    return std::string(buffer, static_cast<std::size_t>(n));
}

Result<std::string> startedFrom() {
    struct stat running {};
    if (::stat("/proc/self/exe", &running) < 0) {
        return errnoError("stat(/proc/self/exe)");
    }
    const auto leadsHere = [&](const std::string& path) {
        struct stat there {};
        return ::stat(path.c_str(), &there) == 0 && there.st_dev == running.st_dev &&
               there.st_ino == running.st_ino;
    };
    // What the kernel was told to execute (getauxval(3)); a descriptor's name leads nowhere later.
    const auto* named = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    if (named != nullptr) {
        std::string path = named;
        char directory[PATH_MAX];
        if (!path.starts_with('/') && ::getcwd(directory, sizeof directory) != nullptr) {
            path = std::string(directory) + '/' + path;
        }
        if (!path.starts_with("/dev/fd/") && !path.starts_with("/proc/") && leadsHere(path)) {
            return path;
        }
    }
    auto path = executablePath();
    constexpr std::string_view kDeleted = " (deleted)";
    if (path && path->ends_with(kDeleted) && !leadsHere(*path)) {
        path->resize(path->size() - kDeleted.size());
    }
    return path;
}

namespace {

void setCloseOnExec(std::span<const int> descriptors, bool on) {
    for (const int fd : descriptors) {
        ::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
    }
}

std::vector<char*> pointersTo(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        pointers.push_back(const_cast<char*>(text.c_str()));
    }
    pointers.push_back(nullptr);
    return pointers;
}

struct Replacement {
    int program;
    std::vector<std::string> environment;
    std::vector<char*> argumentPointers;
    std::vector<char*> environmentPointers;
};

Replacement* replacement = nullptr;  // reached from a handler

}  // namespace

Error replaceProgram(int program, std::span<const int> keep) {
    const SignalBlock block;
    setCloseOnExec(keep, false);
    ::fexecve(program, pointersTo(startArguments()).data(), environ);
    const int reason = errno;
    setCloseOnExec(keep, true);
    return {std::error_code(reason, std::system_category()), "exec"};
}

void prepareReplacement(int program, const std::vector<std::string>& variables) {
    auto* prepared = new Replacement{program, variables, pointersTo(startArguments()), {}};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        prepared->environment.emplace_back(*entry);
    }
    prepared->environmentPointers = pointersTo(prepared->environment);
    replacement = prepared;
}

void replaceProgramAsPrepared() {
    if (replacement != nullptr) {
        ::fexecve(replacement->program, replacement->argumentPointers.data(),
                  replacement->environmentPointers.data());
    }
}

void setProcessName(const std::string& name) {
    ::prctl(PR_SET_NAME, name.c_str(), 0UL, 0UL, 0UL);
}

namespace {

char* titleStart = nullptr;
std::size_t titleRoom = 0;
std::vector<std::string>* environment = nullptr;  ///< owns what environ points to, also when unset
std::vector<std::string>* arguments = nullptr;    ///< copies: the title is written over argv

}  // namespace

void initProcessTitle(int argc, char** argv) {
    if (argc == 0) {
        return;
    }
    // The kernel puts arguments and environment into one block; move the environment away and
    // the whole block can hold the title. Only a contiguous block counts.
    char* end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; ++i) {
        end += std::strlen(argv[i]) + 1;
    }
    std::size_t count = 0;
    for (; environ[count] != nullptr; ++count) {
        if (environ[count] == end) {
            end += std::strlen(environ[count]) + 1;
        }
    }
    // Both live as long as the process, like the block they replace.
    arguments = new std::vector<std::string>(argv, argv + argc);
    environment = new std::vector<std::string>(environ, environ + count);
    auto* pointers = new char* [count + 1] {};
    std::transform(environment->begin(), environment->end(), pointers,
                   [](std::string& text) { return text.data(); });
    environ = pointers;
    titleStart = argv[0];
    titleRoom = static_cast<std::size_t>(end - argv[0]);
}

const std::vector<std::string>& startArguments() {
    static const std::vector<std::string> kNone;
    return arguments == nullptr ? kNone : *arguments;
}

void setProcessTitle(const std::string& title) {
    if (titleStart == nullptr || titleRoom == 0) {
        return;
    }
    const std::size_t length = std::min(title.size(), titleRoom - 1);
    std::memcpy(titleStart, title.data(), length);
    std::memset(titleStart + length, 0, titleRoom - length);
}

}  // namespace muster
