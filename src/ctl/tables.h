// What musterctl shows on a terminal: answers of the service as aligned tables.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace muster::ctl {

/// Of `status`: a line about the service, and one for each pool.
[[nodiscard]] std::string statusTable(const nlohmann::json& status);
/// Of `workers`: a line for each worker.
[[nodiscard]] std::string workersTable(const nlohmann::json& workers);
/// Of `trace`: the slow log's entry, and what the request is.
[[nodiscard]] std::string traceText(const nlohmann::json& trace);
/// Of `reload` and its like: what became of each pool, and what there is to say about it.
[[nodiscard]] std::string outcomeText(const nlohmann::json& answer);

}  // namespace muster::ctl
