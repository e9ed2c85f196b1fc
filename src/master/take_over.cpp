// Reads the table, and stands by to hand it back.
#include "master/take_over.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/io.h"
#include "base/process.h"
#include "base/shared_memory.h"
#include "master/exit_status.h"
#include "master/inherited_sockets.h"

namespace muster::master {
namespace {

constexpr const char* kTableVariable = "MUSTER_UPGRADE_FD";
constexpr const char* kFailureVariable = "MUSTER_UPGRADE_FAILURE";
constexpr std::size_t kLongestFailure = 500;  // the environment is no place for more
constexpr std::size_t kLongestTable = std::size_t{256} << 20;
constexpr unsigned kPatienceSeconds = 60;  // for a program that hangs before it has everything

std::string takeVariable(const char* name) {
    const char* value = ::getenv(name);
    std::string text = value == nullptr ? "" : value;
    ::unsetenv(name);
    return text;
}

void onFault(int) {
    replaceProgramAsPrepared();
    ::_exit(kExitSoftware);
}

[[noreturn]] void giveUp(const std::string& why) {
    const std::string line = "ALERT: the service cannot be taken over: " + why + "\n";
    writeAll(STDERR_FILENO, line);
    ::_exit(kExitSoftware);
}

[[noreturn]] void executePrevious(int previous, int table, const std::string& failure,
                                  const std::string& why) {
    if (!failure.empty()) {
        giveUp(why);  // back already: there is nobody else to go to
    }
    ::setenv(kTableVariable, std::to_string(table).c_str(), 1);
    ::setenv(kFailureVariable, why.substr(0, kLongestFailure).c_str(), 1);
    giveUp(why + "; " + replaceProgram(previous, {}).text());
}

}  // namespace

Error executeWith(int program, const HandOver& handOver, const std::string& failure) {
    const auto table = createSealedContent("muster-hand-over", encodeHandOver(handOver));
    if (!table) {
        return table.error();
    }
    ::setenv(kTableVariable, std::to_string(table->get()).c_str(), 1);
    if (!failure.empty()) {
        ::setenv(kFailureVariable, failure.substr(0, kLongestFailure).c_str(), 1);
    }
    std::vector<int> keep = handOver.descriptors();
    keep.push_back(table->get());
    Error error = replaceProgram(program, keep);
    ::unsetenv(kTableVariable);
    ::unsetenv(kFailureVariable);
    return error;
}

std::optional<TakeOver> TakeOver::fromEnvironment() {
    const auto number = parseDescriptor(takeVariable(kTableVariable));
    TakeOver takeOver;
    takeOver.failure_ = takeVariable(kFailureVariable);
    const auto bytes = number && isSealed(*number) ? readDescriptor(*number, kLongestTable)
                                                   : Result<std::string>();
    const auto head = bytes ? headOfHandOver(*bytes) : std::nullopt;
    if (!head || head->pid != ::getpid()) {
        return std::nullopt;  // somebody's variable
    }
    takeOver.table_.reset(*number);
    if (takeOver.failure_.empty()) {
        prepareReplacement(head->previous,
                           {fmt::format("{}={}", kTableVariable, *number),
                            fmt::format("{}=it crashed or hung", kFailureVariable)});
        takeOver.faults_ = std::make_unique<FaultWatch>(onFault);
        ::alarm(kPatienceSeconds);
    }
    auto handOver = decodeHandOver(*bytes);
    if (!handOver) {
        executePrevious(head->previous, *number, takeOver.failure_, handOver.error().text());
    }
    takeOver.handOver = std::move(*handOver);
    for (const int fd : takeOver.handOver.descriptors()) {
        if (::fcntl(fd, F_GETFD) < 0) {
            takeOver.goBack(fmt::format("descriptor {} of the table is not open", fd));
        }
    }
    return takeOver;
}

void TakeOver::goBack(const std::string& why) const {
    executePrevious(handOver.previous, table_.get(), failure_, why);
}

void TakeOver::settle() {
    ::alarm(0);
    faults_.reset();
    for (const int fd : handOver.descriptors()) {
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    table_.reset();
}

}  // namespace muster::master
