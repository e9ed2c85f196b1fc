// Columns as wide as their widest cell.
#include "ctl/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/clock.h"
#include "base/escape.h"

namespace muster::ctl {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

/// Control bytes of hostile URIs do nothing to the terminal.
std::string cell(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) {
        return "-";
    }
    const std::string text =
        found->is_string() ? escaped(found->get<std::string>()) : found->dump();
    return text.empty() ? "-" : text;
}

std::string secondsCell(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_number()) {
        return "-";
    }
    const double seconds = found->get<double>();
    if (seconds < 60) {
        return fmt::format("{:.3f}s", seconds);
    }
    const auto whole = static_cast<long>(seconds);
    return whole < 3600 ? fmt::format("{}m{:02}s", whole / 60, whole % 60)
                        : fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

std::string aligned(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const Row& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += fmt::format("{:<{}}  ", row[i], widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string leavingCell(const json& pool) {
    const auto found = pool.find("leaving");
    return found == pool.end() || found->empty() ? "-" : std::to_string(found->size());
}

double numberIn(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

/// A line about a pool that fails again and again.
std::string troubleOf(const json& pool) {
    const std::string state = cell(pool, "state");
    if (state == "crashing") {
        return fmt::format("pool {}: workers die before they serve, {} in a row; next try in {}\n",
                           cell(pool, "name"), cell(pool, "workers_died_young"),
                           secondsCell(pool, "next_worker_seconds"));
    }
    if (cell(pool, "manager") == "-" && numberIn(pool, "failed_starts") > 0) {
        const std::string next = secondsCell(pool, "next_try_seconds");
        return fmt::format("pool {}: failed to start, {} in a row; {}: {}\n", cell(pool, "name"),
                           cell(pool, "failed_starts"),
                           next == "-" ? "it is tried now" : "next try in " + next,
                           cell(pool, "last_failure"));
    }
    return {};
}

}  // namespace

std::string statusTable(const json& status) {
    std::string text =
        fmt::format("muster {}, pid {}, {}, {}\n\n", cell(status, "version"), cell(status, "pid"),
                    cell(status, "state"), cell(status, "config"));
    std::vector<Row> rows = {{"POOL", "STATE", "PM", "ACTIVE", "IDLE", "MAX", "QUEUE", "ACCEPTED",
                              "SLOW", "LEAVING", "MANAGER", "LISTEN"}};
    for (const json& pool : status.value("pools", json::array())) {
        rows.push_back({cell(pool, "name"), cell(pool, "state"), cell(pool, "pm"),
                        cell(pool, "active"), cell(pool, "idle"), cell(pool, "max_children"),
                        cell(pool, "listen_queue"), cell(pool, "accepted_conn"),
                        cell(pool, "slow_requests"), leavingCell(pool), cell(pool, "manager"),
                        cell(pool, "listen")});
    }
    text += aligned(rows);
    for (const json& pool : status.value("pools", json::array())) {
        text += troubleOf(pool);
    }
    return text;
}

std::string workersTable(const json& workers) {
    std::vector<Row> rows = {
        {"PID", "STATE", "AGE", "REQUESTS", "DURATION", "MEMORY", "METHOD", "URI", "SCRIPT"}};
    for (const json& worker : workers.value("workers", json::array())) {
        std::string uri = cell(worker, "uri");
        if (const std::string query = cell(worker, "query"); query != "-") {
            uri += "?" + query;
        }
        rows.push_back({cell(worker, "pid"), cell(worker, "state"),
                        secondsCell(worker, "since_seconds"), cell(worker, "requests"),
                        secondsCell(worker, "request_seconds"), cell(worker, "memory_peak"),
                        cell(worker, "method"), uri, cell(worker, "script")});
    }
    return aligned(rows);
}

std::string traceText(const json& trace) {
    std::string uri = cell(trace, "uri");
    if (const std::string query = cell(trace, "query"); query != "-") {
        uri += "?" + query;
    }
    std::string text =
        fmt::format("[{}]  [pool {}] pid {}\nrequest = {} {}, {} after {}\nscript_filename = {}\n",
                    formatLocalTime(std::time(nullptr), "%d-%b-%Y %H:%M:%S"), cell(trace, "pool"),
                    cell(trace, "pid"), cell(trace, "method"), uri, cell(trace, "state"),
                    secondsCell(trace, "request_seconds"), cell(trace, "script"));
    for (const json& frame : trace.value("frames", json::array())) {
        text += fmt::format("[{}] {}() {}:{}\n", cell(frame, "address"), cell(frame, "function"),
                            cell(frame, "file"), cell(frame, "line"));
    }
    if (trace.value("broken", false)) {
        text += "+++ dump failed\n";
    } else if (trace.value("moving", false)) {
        text += "+++ the script ran on meanwhile: its innermost calls are missing\n";
    } else if (trace.value("cut", false)) {
        text += "+++ there are further calls around these\n";
    }
    return text;
}

std::string outcomeText(const json& answer) {
    std::string text;
    for (const json& problem : answer.value("problems", json::array())) {
        text += escaped(problem.is_string() ? problem.get<std::string>() : problem.dump()) + "\n";
    }
    std::vector<Row> rows;
    const json result = answer.value("result", json::object());
    const json pools = result.value("pools", json::object());
    for (const auto& [pool, what] : pools.items()) {
        rows.push_back(
            {escaped(pool), escaped(what.is_string() ? what.get<std::string>() : what.dump())});
    }
    text += aligned(rows);
    if (result.contains("program")) {
        text += fmt::format("upgraded to {} (version {})\n", cell(result, "program"),
                            cell(result, "version"));
    }
    return text.empty() && answer.value("ok", false) ? "ok\n" : text;
}

}  // namespace muster::ctl
