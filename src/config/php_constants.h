// PHP's constants that people write into configuration files: php_value[error_reporting] = E_ALL.
//
// php-fpm asks the engine it contains; the master contains none, so these are a table of their
// own. Values as in the PHP manual ("Predefined constants" of error handling).
#pragma once

#include <optional>
#include <string_view>

namespace muster::config {

/// The text of an E_... level, PHP_OS or PHP_OS_FAMILY; nothing for any other word. Exact case.
[[nodiscard]] std::optional<std::string_view> phpConstant(std::string_view word);

}  // namespace muster::config
