// The fields of an access record, in their order.
#include "log/access_json.h"

#include "log/json_line.h"

namespace muster::log {

void renderAccessJson(const AccessFacts& facts, std::string& line) {
    const auto wall = static_cast<double>(facts.durationNs);
    const auto cpu = static_cast<double>(facts.userCpuNs + facts.systemCpuNs);
    JsonLine json(line);
    json.time("time", facts.acceptedWallNs);
    json.text("pool", facts.pool);
    json.number("pid", facts.workerPid);
    json.number("master", facts.masterPid);
    json.textOrNull("remote", facts.peer);
    json.textOrNull("user", facts.user);
    json.textOrNull("method", facts.method);
    json.textOrNull("uri", facts.uri);
    json.textOrNull("query", facts.query);
    json.textOrNull("script", facts.script);
    json.number("status", facts.status);
    json.number("length", facts.contentLength);
    json.decimal("duration", wall / 1e9, 6);
    json.decimal("cpu", wall > 0 ? cpu / wall * 100 : 0, 2);
    json.number("memory", static_cast<std::int64_t>(facts.memoryPeak));
    json.end();
    line += '\n';
}

}  // namespace muster::log
