// The names of the settings in a text of PHP_VALUE, to tell them without obeying them. Knows no
// PHP.
#pragma once

#include <string>
#include <string_view>

namespace muster::php {

/// "'memory_limit', 'precision' and 3 more": the first few, fit for one log line. The text is the
/// peer's, and may be anything.
[[nodiscard]] std::string settingNames(std::string_view text);

}  // namespace muster::php
