// Commands by name.
#include "master/control_commands.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "master/control_status.h"

namespace muster::master {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr int kMostWorkers = 100'000;

const json* member(const json& request, const char* name) {
    const auto found = request.find(name);
    return found == request.end() ? nullptr : &*found;
}

Result<std::string> textIn(const json& request, const char* name) {
    const json* value = member(request, name);
    if (value == nullptr || !value->is_string()) {
        return plainError(fmt::format("'{}' must be a text", name));
    }
    return value->get<std::string>();
}

/// A list of names; a missing one is empty.
Result<std::set<std::string>> poolsIn(const json& request) {
    std::set<std::string> names;
    const json* value = member(request, "pools");
    if (value == nullptr) {
        return names;
    }
    if (!value->is_array()) {
        return plainError("'pools' must be a list of names");
    }
    for (const json& name : *value) {
        if (!name.is_string()) {
            return plainError("'pools' must be a list of names");
        }
        names.insert(name.get<std::string>());
    }
    return names;
}

Result<std::set<std::string>> somePoolsIn(const json& request) {
    auto names = poolsIn(request);
    if (names && names->empty()) {
        return plainError("'pools' must name at least one pool");
    }
    return names;
}

Result<ReloadOrder> scaleOrder(const json& request) {
    const auto pool = textIn(request, "pool");
    if (!pool) {
        return tl::make_unexpected(pool.error());
    }
    const json* workers = member(request, "workers");
    if (workers == nullptr || !workers->is_number_integer() || *workers < 1 ||
        *workers > kMostWorkers) {
        return plainError(fmt::format("'workers' must be a number from 1 to {}", kMostWorkers));
    }
    ReloadOrder order;
    order.maxChildren[*pool] = workers->get<int>();
    return order;
}

/// The commands that end in a reload of something.
Result<ReloadOrder> orderFor(const std::string& command, const json& request) {
    ReloadOrder order;
    if (command == "scale") {
        return scaleOrder(request);
    }
    if (command == "upgrade") {
        order.upgrade = true;
        return order;
    }
    auto pools = command == "reload" ? poolsIn(request) : somePoolsIn(request);
    if (!pools) {
        return tl::make_unexpected(pools.error());
    }
    if (command == "reload") {
        order.changed = pools->empty();
        order.named = std::move(*pools);
    } else if (command == "restart") {
        order.restarted = std::move(*pools);
    } else if (command == "drain") {
        order.paused = std::move(*pools);
    } else {
        order.resumed = std::move(*pools);
    }
    return order;
}

bool isOrder(const std::string& command) {
    return command == "reload" || command == "restart" || command == "scale" ||
           command == "drain" || command == "resume" || command == "upgrade";
}

/// Worker-provided bytes need not be UTF-8.
std::string lineOf(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

ControlCommands::ControlCommands(EventLoop& loop, log::ErrorLog& log, Operations& operations)
    : operations_(&operations),
      socket_(loop, log, [this](Connection connection, const std::string& line) {
          onLine(connection, line);
      }) {}

void ControlCommands::onLine(Connection connection, const std::string& line) {
    const json request = json::parse(line, nullptr, false);
    if (!request.is_object()) {
        fail(connection, "expected a JSON object on one line");
        return;
    }
    const json* version = member(request, "version");
    if (version == nullptr || *version != kVersion) {
        fail(connection, fmt::format("this is version {} of the protocol; say \"version\":{}",
                                     kVersion, kVersion));
        return;
    }
    dispatch(connection, request);
}

void ControlCommands::dispatch(Connection connection, const json& request) {
    const auto command = textIn(request, "command");
    if (!command) {
        fail(connection, command.error().text());
    } else if (isOrder(*command)) {
        if (auto wanted = orderFor(*command, request)) {
            order(connection, std::move(*wanted));
        } else {
            fail(connection, wanted.error().text());
        }
    } else if (*command == "status") {
        succeed(connection, statusOf(*operations_));
    } else if (*command == "workers") {
        const auto pool = textIn(request, "pool");
        const auto snapshot = pool ? operations_->pools().snapshotOf(*pool) : std::nullopt;
        if (!pool || !snapshot) {
            fail(connection, !pool ? pool.error().text()
                                   : "there is no pool '" + *pool + "', or it does not run");
        } else {
            succeed(connection, workersOf(*snapshot));
        }
    } else if (*command == "trace") {
        trace(connection, request);
    } else if (*command == "check") {
        const Operations::CheckResult found = operations_->check();
        json last = {{"ok", found.ok}, {"problems", found.problems}};
        if (!found.ok) {
            last["error"] = "the configuration is refused";
        }
        answer(connection, std::move(last));
    } else if (*command == "reopen-logs") {
        if (operations_->reopenLogs()) {
            succeed(connection, json::object());
        } else {
            fail(connection, "a log could not be opened again; the error log says which");
        }
    } else {
        fail(connection, "there is no command '" + *command + "'");
    }
}

void ControlCommands::order(Connection connection, ReloadOrder order) {
    order.waiting.push_back(waiterOf(connection));
    operations_->reload(std::move(order));
}

ReloadOrder::Waiter ControlCommands::waiterOf(Connection connection) {
    const auto tell = [this, connection](const ReloadOutcome& outcome) {
        json last = {{"ok", outcome.ok},
                     {"problems", outcome.problems},
                     {"result", {{"pools", outcome.pools}}}};
        if (!outcome.program.empty()) {
            last["result"]["program"] = outcome.program;
            last["result"]["version"] = MUSTER_VERSION;
        }
        if (!outcome.ok) {
            last["error"] = outcome.error;
        }
        answer(connection, std::move(last));
    };
    return {tell, connection};
}

ReloadOrder::Waiter ControlCommands::continued(Connection connection) {
    continued_.insert(connection);
    return waiterOf(connection);
}

void ControlCommands::apologise(const std::string& why) {
    for (const Connection connection : socket_.busy()) {
        if (!continued_.contains(connection)) {
            fail(connection, why);
        }
    }
    continued_.clear();
}

void ControlCommands::trace(Connection connection, const json& request) {
    const json* pid = member(request, "pid");
    if (pid == nullptr || !pid->is_number_integer() || *pid < 1 ||
        *pid > std::numeric_limits<pid_t>::max()) {
        fail(connection, "'pid' must be the number of a process");
        return;
    }
    const auto worker = pid->get<pid_t>();
    operations_->trace(worker, [this, connection, worker](const Result<manager::LiveTrace>& trace) {
        if (trace) {
            succeed(connection, traceOf(worker, *trace));
        } else {
            fail(connection, trace.error().text());
        }
    });
}

void ControlCommands::succeed(Connection connection, json result) {
    answer(connection, {{"ok", true}, {"result", std::move(result)}});
}

void ControlCommands::fail(Connection connection, const std::string& why) {
    answer(connection, {{"ok", false}, {"error", why}});
}

void ControlCommands::answer(Connection connection, json last) {
    last["done"] = true;
    socket_.send(connection, lineOf(last));
    socket_.finish(connection);
}

}  // namespace muster::master
