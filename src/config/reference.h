// The directives reference as Markdown, made from the table: docs/directives.md.
#pragma once

#include <string>

namespace muster::config {

[[nodiscard]] std::string directivesReference();

}  // namespace muster::config
