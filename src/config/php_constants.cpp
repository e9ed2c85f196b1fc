// The table of constants.
#include "config/php_constants.h"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::config {

std::optional<std::string_view> phpConstant(std::string_view word) {
    using Constant = std::pair<std::string_view, std::string_view>;
    // E_ALL as up to PHP 8.3; the bit that 8.4 took out of it (E_STRICT) means nothing there.
    constexpr auto kConstants = std::to_array<Constant>({
        {"E_ERROR", "1"},
        {"E_WARNING", "2"},
        {"E_PARSE", "4"},
        {"E_NOTICE", "8"},
        {"E_CORE_ERROR", "16"},
        {"E_CORE_WARNING", "32"},
        {"E_COMPILE_ERROR", "64"},
        {"E_COMPILE_WARNING", "128"},
        {"E_USER_ERROR", "256"},
        {"E_USER_WARNING", "512"},
        {"E_USER_NOTICE", "1024"},
        {"E_STRICT", "2048"},
        {"E_RECOVERABLE_ERROR", "4096"},
        {"E_DEPRECATED", "8192"},
        {"E_USER_DEPRECATED", "16384"},
        {"E_ALL", "32767"},
        {"PHP_OS", "Linux"},
        {"PHP_OS_FAMILY", "Linux"},
    });
    const auto* const found = std::find_if(kConstants.begin(), kConstants.end(),
                                           [&](const Constant& c) { return c.first == word; });
    return found == kConstants.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace muster::config
