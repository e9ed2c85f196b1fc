// Relative paths of a configuration made absolute (spec config §4.1).
#pragma once

#include <string>
#include <string_view>

namespace muster::config {

inline constexpr const char* kStateDirectory = "/var";  ///< for pid and error_log
inline constexpr const char* kBaseDirectory = "/usr";   ///< for everything else

/// Of a global directive: `prefix` is -p, empty for none.
[[nodiscard]] std::string absolutePath(const std::string& value, const std::string& prefix,
                                       const char* fallback);

/// Of a pool's directive: an empty value stays empty.
[[nodiscard]] std::string absolutePoolPath(const std::string& value, const std::string& prefix);

/// The value of php_value[name]: made absolute when that PHP setting is known to name a file.
[[nodiscard]] std::string absoluteIniValue(const std::string& name, const std::string& value,
                                           const std::string& prefix);

}  // namespace muster::config
