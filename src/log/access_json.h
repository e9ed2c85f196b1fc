// The access-log line of log.format = json: one object with every fact of the request.
//
// Worker, in the place of AccessFormat's text; the fields are documented in the operator's guide.
#pragma once

#include <string>

#include "log/access_format.h"

namespace muster::log {

/// Appends the line, newline included. Its length is bounded by that of the facts.
void renderAccessJson(const AccessFacts& facts, std::string& line);

}  // namespace muster::log
