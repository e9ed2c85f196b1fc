// Asks a program on disk whether it could take over, before anything is changed for it.
//
// Owned by the master. The program is run beside the service with a copy of the table and must say
// within a deadline that it understands it, accepts the configuration and finds its runtime. Any
// file may be there: one that is no program, does not know the question, crashes or hangs is
// refused with the reason. Never blocks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace muster::master {

/// argv[1] of a program that is asked; it finds the table and where to answer under these numbers.
inline constexpr const char* kCheckArgument = "--upgrade-check";
inline constexpr int kCheckTableFd = 3;
inline constexpr int kCheckAnswerFd = 4;
/// More would not fit into the answer.
inline constexpr std::size_t kMostCheckProblems = 100;
inline constexpr std::size_t kLongestCheckProblem = 1000;

/// The other side, in the program that is asked: the process's exit status.
[[nodiscard]] int answerProgramCheck();

class ProgramCheck {
  public:
    struct Finding {
        std::string refusal;  ///< empty: it may take over
        std::vector<std::string> problems;
        std::string version;
    };
    using OnFinding = std::function<void(const Finding&)>;

    explicit ProgramCheck(EventLoop& loop) : loop_(&loop) {}
    ~ProgramCheck() { cancel(); }
    ProgramCheck(const ProgramCheck&) = delete;
    ProgramCheck& operator=(const ProgramCheck&) = delete;

    /// One at a time. `onFinding` is called from onDeath(), once.
    Result<void> begin(const std::string& program, const std::string& table, OnFinding onFinding);
    /// A pid from waitpid: true when it was the program that is being asked.
    bool onDeath(pid_t pid, int status);
    /// Nobody is interested any more.
    void cancel();

    /// The file that was asked (O_PATH), whatever its path leads to by now.
    [[nodiscard]] int program() const { return program_.get(); }

  private:
    [[nodiscard]] Finding judge(int status) const;

    EventLoop* loop_;
    UniqueFd program_;
    UniqueFd answer_;
    UniqueFd errors_;
    OnFinding onFinding_;
    pid_t pid_ = -1;
    bool late_ = false;
    EventLoop::Watch deadline_;
};

}  // namespace muster::master
