// musterctl: steers a running muster over its control socket.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/escape.h"
#include "ctl/control_client.h"
#include "ctl/tables.h"

namespace {

using muster::ctl::ControlClient;
using nlohmann::json;

enum ExitStatus { kDone = 0, kFailed = 1, kUsage = 2, kUnreachable = 3 };

struct Choice {
    std::string socket;
    bool asJson = false;
    double watchSeconds = 0;  ///< 0: once
};

std::string text(const json& answer, const std::string& command) {
    const json result = answer.value("result", json::object());
    if (command == "status") {
        return muster::ctl::statusTable(result);
    }
    if (command == "workers") {
        return muster::ctl::workersTable(result);
    }
    if (command == "trace" && answer.value("ok", false)) {
        return muster::ctl::traceText(result);
    }
    return muster::ctl::outcomeText(answer);
}

/// Prints the answer: what was asked for on stdout, what went wrong on stderr.
int show(const json& answer, const json& command, const Choice& choice) {
    const bool ok = answer.value("ok", false);
    if (choice.asJson) {
        const std::string line = answer.dump(2, ' ', false, json::error_handler_t::replace);
        std::printf("%s\n", line.c_str());
        return ok ? kDone : kFailed;
    }
    const std::string shown = text(answer, command.value("command", ""));
    std::fputs(shown.c_str(), ok ? stdout : stderr);
    if (!ok) {
        const std::string why = muster::escaped(answer.value("error", "the command failed"));
        std::fprintf(stderr, "musterctl: %s\n", why.c_str());
    }
    return ok ? kDone : kFailed;
}

int fail(const muster::Error& error) {
    std::fprintf(stderr, "musterctl: %s\n", error.text().c_str());
    return kUnreachable;
}

int run(const json& command, const Choice& choice) {
    const auto path = choice.socket.empty() ? muster::ctl::findSocket()
                                            : muster::Result<std::string>(choice.socket);
    if (!path) {
        return fail(path.error());
    }
    auto client = ControlClient::connect(*path);
    if (!client) {
        return fail(client.error());
    }
    for (;;) {
        const auto answer = client->run(command);
        if (!answer) {
            return fail(answer.error());
        }
        if (choice.watchSeconds > 0 && !choice.asJson && ::isatty(STDOUT_FILENO) != 0) {
            std::fputs("\033[H\033[2J", stdout);
        }
        const int status = show(*answer, command, choice);
        std::fflush(stdout);
        if (choice.watchSeconds <= 0 || status != kDone) {
            return status;
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(choice.watchSeconds));
    }
}

/// The commands with names of pools and nothing else.
void addPoolCommand(CLI::App& app, json& command, std::vector<std::string>& pools,
                    const std::string& name, const std::string& description, bool required) {
    CLI::App* added = app.add_subcommand(name, description);
    auto* option = added->add_option("POOL", pools, "names of pools");
    if (required) {
        option->required();
    }
    added->callback([&command, &pools, name] { command = {{"command", name}, {"pools", pools}}; });
}

int steer(int argc, char** argv) {
    Choice choice;
    json command;
    std::vector<std::string> pools;
    std::string pool;
    int workers = 0;
    int worker = 0;
    CLI::App app(
        "Steers a running muster. Every command waits for its outcome; the exit status is 0 "
        "when it succeeded, 1 when it did not, 2 for a wrong command line, 3 when muster "
        "cannot be reached.",
        "musterctl");
    app.require_subcommand(1);
    app.set_version_flag("-V,--version", MUSTER_VERSION);
    app.add_option("-s,--socket", choice.socket, "the control socket")->type_name("PATH");
    app.add_flag("-j,--json", choice.asJson, "print the answer as JSON");
    app.fallthrough();

    CLI::App* status = app.add_subcommand("status", "state, workers and counters of all pools");
    status->add_option("-w,--watch", choice.watchSeconds, "again and again, after so many seconds")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.1, 86400.0));
    status->callback([&command] { command = {{"command", "status"}}; });
    CLI::App* list = app.add_subcommand("workers", "the workers of a pool and what they do");
    list->add_option("POOL", pool, "name of the pool")->required();
    list->callback([&] { command = {{"command", "workers"}, {"pool", pool}}; });
    addPoolCommand(app, command, pools, "reload",
                   "read the files and renew what has changed, or of that the named pools", false);
    addPoolCommand(app, command, pools, "restart", "renew pools by the settings in force", true);
    CLI::App* scale =
        app.add_subcommand("scale", "give a pool another pm.max_children until its next reload");
    scale->add_option("POOL", pool, "name of the pool")->required();
    scale->add_option("WORKERS", workers, "how many")->required()->check(CLI::Range(1, 100000));
    scale->callback([&] {
        command = {{"command", "scale"}, {"pool", pool}, {"workers", workers}};
    });
    addPoolCommand(app, command, pools, "drain",
                   "finish what pools have begun and let new requests wait", true);
    addPoolCommand(app, command, pools, "resume", "end a drain", true);
    CLI::App* trace = app.add_subcommand("trace", "what the script of a worker does right now");
    trace->add_option("PID", worker, "process id of the worker")
        ->required()
        ->check(CLI::Range(1, std::numeric_limits<int>::max()));
    trace->callback([&] { command = {{"command", "trace"}, {"pid", worker}}; });
    CLI::App* logs = app.add_subcommand("logs", "log files");
    logs->require_subcommand(1);
    logs->add_subcommand("reopen", "open all logs again, after they were moved away")
        ->callback([&command] {
            command = {{"command", "reopen-logs"}};
        });
    app.add_subcommand("upgrade",
                       "let the program that is on disk now take over, without a gap in service")
        ->callback([&command] {
            command = {{"command", "upgrade"}};
        });
    app.add_subcommand("check", "read and check the files, change nothing")->callback([&command] {
        command = {{"command", "check"}};
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kUsage;
    }
    return run(command, choice);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return steer(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "musterctl: %s\n", error.what());
        return kFailed;
    }
}
