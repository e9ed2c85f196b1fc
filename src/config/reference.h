// The directives reference, made from the table.
#pragma once

#include <string>

namespace muster::config {

/// As Markdown: docs/directives.md.
[[nodiscard]] std::string directivesReference();

/// As manual page: docs/man/muster.conf.5.
[[nodiscard]] std::string manualPage();

}  // namespace muster::config
