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

/// What a pool's relative paths start at: its own prefix (absolute already), else -p.
struct PathBase {
    std::string pool;
    std::string global;
};

/// Of a pool's directive: an empty value stays empty.
[[nodiscard]] std::string absolutePoolPath(const std::string& value, const PathBase& base);

/// What chroot may start with to mean the prefix.
inline constexpr std::string_view kPrefixWord = "$prefix";
/// The same for chroot. A value with $prefix elsewhere is returned as it is.
[[nodiscard]] std::string absoluteChroot(const std::string& value, const PathBase& base);

/// The value of php_value[name]: made absolute when that PHP setting is known to name a file.
[[nodiscard]] std::string absoluteIniValue(const std::string& name, const std::string& value,
                                           const PathBase& base);

}  // namespace muster::config
