// Runs the program and reads what it left.
#include "master/program_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/process.h"
#include "base/shared_memory.h"

namespace muster::master {

using nlohmann::json;

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr int kProgramNumber = 5;
constexpr std::size_t kRoomForAnswer = std::size_t{1} << 20;
constexpr std::size_t kRoomForErrors = std::size_t{16} << 10;
constexpr std::size_t kLongestSaying = 300;

Result<UniqueFd> openProgram(const std::string& path) {
    UniqueFd program(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!program) {
        return errnoError(path);
    }
    struct stat info {};
    if (::fstat(program.get(), &info) < 0) {
        return errnoError(path);
    }
    if (!S_ISREG(info.st_mode)) {
        return plainError(path + " is no file");
    }
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0) {
        return errnoError(path + " cannot be executed");
    }
    return program;
}

/// Up to the first byte that was never written.
std::string writtenTo(const UniqueFd& segment, std::size_t room) {
    const auto content = readDescriptor(segment.get(), room);
    return content ? content->substr(0, content->find('\0')) : std::string();
}

/// The last line, which names the reason with most programs.
std::string lastLine(std::string text) {
    text.erase(text.find_last_not_of(" \r\n") + 1);
    const std::string line = text.substr(text.rfind('\n') + 1);
    return line.substr(0, kLongestSaying);
}

}  // namespace

Result<void> ProgramCheck::begin(const std::string& program, const std::string& table,
                                 OnFinding onFinding) {
    auto opened = openProgram(program);
    if (!opened) {
        return tl::make_unexpected(opened.error());
    }
    auto copy = createSealedContent("muster-hand-over", table);
    auto answer = createSegment("muster-answer", kRoomForAnswer);
    auto errors = createSegment("muster-errors", kRoomForErrors);
    for (const auto* made : {&copy, &answer, &errors}) {
        if (!*made) {
            return tl::make_unexpected(made->error());
        }
    }
    const std::vector<InheritedFd> inherited = {{copy->get(), kCheckTableFd},
                                                {answer->get(), kCheckAnswerFd},
                                                {opened->get(), kProgramNumber},
                                                {errors->get(), STDERR_FILENO}};
    const auto pid = execChild("/proc/self/fd/" + std::to_string(kProgramNumber),
                               {program, kCheckArgument}, inherited);
    if (!pid) {
        return tl::make_unexpected(pid.error());
    }
    pid_ = *pid;
    late_ = false;
    program_ = std::move(*opened);
    answer_ = std::move(*answer);
    errors_ = std::move(*errors);
    onFinding_ = std::move(onFinding);
    deadline_ = loop_->after(kPatience, [this] {
        late_ = true;
        ::kill(pid_, SIGKILL);
    });
    return {};
}

bool ProgramCheck::onDeath(pid_t pid, int status) {
    if (pid != pid_ || pid_ < 0) {
        return false;
    }
    pid_ = -1;
    deadline_.cancel();
    const Finding finding = judge(status);
    answer_.reset();
    errors_.reset();
    const OnFinding tell = std::move(onFinding_);
    onFinding_ = nullptr;
    tell(finding);
    return true;
}

// Its death is reaped like that of any child that is nobody's any more.
void ProgramCheck::cancel() {
    deadline_.cancel();
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        pid_ = -1;
    }
    onFinding_ = nullptr;
    program_.reset();
    answer_.reset();
    errors_.reset();
}

ProgramCheck::Finding ProgramCheck::judge(int status) const {
    Finding finding;
    const std::string said = lastLine(writtenTo(errors_, kRoomForErrors));
    if (late_) {
        finding.refusal = fmt::format("it did not answer within {} seconds", kPatience.count());
        return finding;
    }
    const json answer = json::parse(writtenTo(answer_, kRoomForAnswer), nullptr, false);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !answer.is_object()) {
        finding.refusal = "it does not know how to take over: it exited " + describeExit(status);
        if (!said.empty()) {
            finding.refusal += ", its last words: " + said;
        }
        return finding;
    }
    try {
        finding.version = answer.value("version", "");
        finding.problems = answer.value("problems", std::vector<std::string>());
        if (!answer.value("ok", false)) {
            finding.refusal = answer.value("error", "it gave no reason");
        }
    } catch (const json::exception& problem) {
        finding.refusal = std::string("its answer is unreadable: ") + problem.what();
    }
    return finding;
}

}  // namespace muster::master
