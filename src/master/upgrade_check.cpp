// The program that is asked whether it could take over: looks, answers, changes nothing.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/process.h"
#include "master/hand_over.h"
#include "master/preparation.h"
#include "master/program_check.h"
#include "worker/runtime.h"

namespace muster::master {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestTable = std::size_t{256} << 20;

/// Why not; nothing when it could.
std::optional<std::string> objection(std::vector<std::string>& problems) {
    const auto table = readDescriptor(kCheckTableFd, kLongestTable);
    if (!table) {
        return table.error().text();
    }
    const auto handOver = decodeHandOver(*table);
    if (!handOver) {
        return handOver.error().text();
    }
    Invocation invocation = describeInvocation(parseCommandLine(handOver->arguments));
    if (invocation.line.action != Action::serve) {
        return "it does not understand the service's command line";
    }
    invocation.configFile = handOver->configFile;
    setProcessName(invocation.line.programName);
    log::ErrorLog log;
    log.setListener([&](LogLevel level, std::string_view text) {
        if (level >= LogLevel::warning && problems.size() < kMostCheckProblems) {
            problems.emplace_back(text.substr(0, kLongestCheckProblem));
        }
    });
    LogFiles files(log, invocation.line.forceStderr);
    auto prepared = prepare(invocation, log, files, false);
    if (!prepared || !resolveUsers(invocation, prepared->pools, log)) {
        return "it refuses the configuration";
    }
    if (const auto runtime = loadRuntime("php"); !runtime) {
        return runtime.error().text();
    }
    return std::nullopt;
}

}  // namespace

int answerProgramCheck() {
    std::vector<std::string> problems;
    const auto why = objection(problems);
    json answer = {{"ok", !why}, {"version", MUSTER_VERSION}, {"problems", problems}};
    if (why) {
        answer["error"] = *why;
    }
    const std::string text = answer.dump(-1, ' ', false, json::error_handler_t::replace);
    return writeAll(kCheckAnswerFd, text) ? 0 : 1;
}

}  // namespace muster::master
