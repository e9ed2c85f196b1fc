// Finds and ends re-parented workers.
#include "master/orphans.h"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/io.h"
#include "base/process.h"

namespace muster::master {
namespace {

constexpr std::size_t kMaxStat = 4096;

bool runsOurProgram(pid_t pid) {
    struct stat ours {};
    struct stat theirs {};
    return ::stat("/proc/self/exe", &ours) == 0 &&
           ::stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

}  // namespace

// Fourth field of /proc/PID/stat, after the name in parentheses (proc(5)); 0 when it is gone.
pid_t parentOf(pid_t pid) {
    const auto stat = readFile("/proc/" + std::to_string(pid) + "/stat", kMaxStat);
    const std::size_t name = stat ? stat->rfind(") ") : std::string::npos;
    // ") S 123": the state letter stands between
    return name == std::string::npos ? 0 : std::atoi(stat->c_str() + name + 4);
}

std::vector<pid_t> ownChildren() {
    std::vector<pid_t> children;
    const std::unique_ptr<DIR, int (*)(DIR*)> proc(hasChildren() ? ::opendir("/proc") : nullptr,
                                                   ::closedir);
    if (!proc) {
        return children;
    }
    while (const dirent* entry = ::readdir(proc.get())) {
        const pid_t pid = std::atoi(entry->d_name);  // 0 for everything that is no process
        if (pid > 0 && parentOf(pid) == ::getpid()) {
            children.push_back(pid);
        }
    }
    return children;
}

std::vector<pid_t> orphanedWorkers() {
    std::vector<pid_t> orphans = ownChildren();
    std::erase_if(orphans, [](pid_t pid) { return !runsOurProgram(pid); });
    return orphans;
}

void endOrphanedWorkers(std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds kTurn{10};
    for (const pid_t pid : orphanedWorkers()) {
        ::kill(pid, SIGTERM);
    }
    for (; patience.count() > 0 && !orphanedWorkers().empty(); patience -= kTurn) {
        while (reapChild()) {
        }
        ::poll(nullptr, 0, static_cast<int>(kTurn.count()));
    }
    for (const pid_t pid : orphanedWorkers()) {
        ::kill(pid, SIGKILL);
    }
    while (reapChild()) {
    }
}

}  // namespace muster::master
