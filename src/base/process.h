// Processes: the only file that forks, execs and waits.
//
// Contract: forkChild runs `child` in the new process with every signal blocked and reset to
// default; the child's return value is its exit status and it leaves through _exit(2), never
// through its parent's stack. Flush stdio and loggers before.
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace muster {

/// fork(2). The parent gets the pid. The child runs `child` with signals reset and blocked
/// (it calls unblockAllSignals() when ready) and ends with its result.
[[nodiscard]] Result<pid_t> forkChild(const std::function<int()>& child);

/// A descriptor of ours and the number under which the program started by execChild finds it.
struct InheritedFd {
    int ours;
    int theirs;
};

/// fork + execve of `program`; the child has only 0, 1, 2 and the listed descriptors, a reset
/// signal state and the caller's environment. A failing exec ends the child with status 127.
[[nodiscard]] Result<pid_t> execChild(const std::string& program,
                                      const std::vector<std::string>& arguments,
                                      std::span<const InheritedFd> descriptors);

struct ChildExit {
    pid_t pid;
    int status;  ///< as from waitpid(2)
};
enum class Reap { dead, deadOrStopped };
/// Reaps one dead child, or nothing when none is waiting; on demand also tells of one that was
/// stopped (WIFSTOPPED), which lives on. Never blocks.
[[nodiscard]] std::optional<ChildExit> reapChild(Reap which = Reap::dead);

/// Whether this process has children at all, dead or alive. Takes nothing from anybody.
[[nodiscard]] bool hasChildren();

/// Waits for one particular child. Blocks.
[[nodiscard]] Result<int> waitChild(pid_t pid);

/// "with code 1", "on signal 11 (SIGSEGV - core dumped)": spec lifecycle §5.2.
[[nodiscard]] std::string describeExit(int status);

/// Closes every descriptor above 2 that is not listed. Child side.
void closeAllExcept(std::vector<int> keep);

/// The descriptors open in this process, ascending (reads /proc/self/fd).
[[nodiscard]] std::vector<int> openDescriptors();

/// Makes orphans of descendants children of this process (PR_SET_CHILD_SUBREAPER): master.
void becomeSubreaper();
/// Asks the kernel for `signal` when the parent dies; false when it is dead already.
[[nodiscard]] bool followParent(pid_t parent, int signal);
/// Its end is no signal any more. A change of user has the same effect.
void outliveParent();

/// Opens /dev/null in the place of standard descriptors that are closed: otherwise the next files
/// to be opened would be taken for them.
Result<void> fillStandardStreams();

/// Other processes of the same user may trace this one and its crashes may leave core files, which
/// the kernel denies to a process that changed its user (PR_SET_DUMPABLE).
Result<void> becomeDumpable();

/// Opens /dev/null over the given standard descriptors.
Result<void> nullStandardStreams(std::initializer_list<int> fds);

/// Path of the running executable.
[[nodiscard]] Result<std::string> executablePath();

/// The path by which this program was started, absolute, with its symbolic links: where its
/// successor will be. To be asked before the working directory changes.
[[nodiscard]] Result<std::string> startedFrom();

/// The program's arguments as main() got them.
[[nodiscard]] const std::vector<std::string>& startArguments();

/// Puts the program behind `program` in the place of this one, in this process: with our arguments
/// and environment, every signal blocked, so that none is lost, and of the descriptors above 2
/// those in `keep` besides those that were ours to inherit. Returns only when it fails; then
/// nothing has changed.
[[nodiscard]] Error replaceProgram(int program, std::span<const int> keep);

/// The same for a signal handler, with everything made ready before: the way back to another
/// program if this one crashes before it has changed the flag of any descriptor. `variables`: added
/// to the environment as it is now. Leaks on purpose: a handler may need it at any time.
void prepareReplacement(int program, const std::vector<std::string>& variables);
/// Returns only when it fails, or nothing was prepared. Async-signal-safe.
void replaceProgramAsPrepared();

/// The short name that ps -C and pgrep look for; cut to 15 bytes, inherited by forked children.
void setProcessName(const std::string& name);

/// Remembers argv so that the title can be written over it. Call first thing in main.
void initProcessTitle(int argc, char** argv);
/// What ps(1) shows; cut to the room of argv and environment at start.
void setProcessTitle(const std::string& title);

}  // namespace muster
