// main: a pool manager when a master says so, otherwise what the command line asks for.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "manager/inputs.h"
#include "manager/start.h"
#include "master/command_line.h"
#include "master/program_check.h"
#include "master/start.h"
#include "worker/runtime.h"

namespace {

using namespace muster;  // main speaks of everybody

int describeRuntime(const master::CommandLine& line, Description what) {
    auto runtime = loadRuntime("php");
    if (!runtime) {
        std::fprintf(stderr, "%s\n", runtime.error().text().c_str());
        return master::kExitSoftware;
    }
    RuntimeConfig config;
    config.iniPath = line.iniPath;
    config.ignoreIni = line.ignoreIni;
    config.iniDefinitions = line.iniDefinitions;
    config.extendedInfo = line.extendedInfo;
    if (auto executable = executablePath()) {
        config.executable = *executable;
    }
    const int status = (*runtime)->describe(config, what);
    if (what == Description::version && status == master::kExitOk && !line.asPhpFpm()) {
        std::puts("    with muster v" MUSTER_VERSION ", a FastCGI process manager");
    }
    std::fflush(stdout);
    ::_exit(status);  // the engine was started for a few lines; nothing of it needs an orderly end
}

int act(const master::CommandLine& line) {
    using master::Action;
    switch (line.action) {
        case Action::usage:
            std::fputs(master::usageText(line.usageName).c_str(), stdout);
            return master::kExitOk;
        case Action::usageError:
            std::fprintf(stderr, "%s: %s\n", line.programName.c_str(), line.problem.c_str());
            std::fputs(master::usageText(line.usageName).c_str(), stdout);
            return master::kExitUsage;
        case Action::version:
            return describeRuntime(line, Description::version);
        case Action::information:
            return describeRuntime(line, Description::information);
        case Action::modules:
            return describeRuntime(line, Description::modules);
        case Action::serve:
        case Action::test:
            break;
    }
    return master::masterMain(master::describeInvocation(line));
}

}  // namespace

int main(int argc, char** argv) {
    initProcessTitle(argc, argv);
    if (argc == 2 && std::string_view(argv[1]) == manager::kManagerArgument) {
        ::_exit(manager::managerMain());  // not exit(3): its handlers are the workers'
    }
    if (argc == 2 && std::string_view(argv[1]) == master::kCheckArgument) {
        ::_exit(master::answerProgramCheck());
    }
    return act(master::parseCommandLine({argv, argv + argc}));
}
