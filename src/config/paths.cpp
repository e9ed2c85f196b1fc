// The prefix rules.
#include "config/paths.h"

#include <algorithm>
#include <array>

#include "config/text.h"

namespace muster::config {

std::string absolutePath(const std::string& value, const std::string& prefix,
                         const char* fallback) {
    if (value.starts_with('/')) {
        return value;
    }
    return (prefix.empty() ? std::string(fallback) : prefix) + "/" + value;
}

namespace {

std::string start(const PathBase& base) {
    if (!base.pool.empty()) {
        return base.pool;
    }
    return base.global.empty() ? kBaseDirectory : base.global;
}

/// php-fpm puts a relative -p before a pool's path twice; files would move if we did not.
std::string startedTwice(const std::string& path, const PathBase& base) {
    return absolutePath(path, base.global, kBaseDirectory);
}

}  // namespace

std::string absolutePoolPath(const std::string& value, const PathBase& base) {
    if (value.empty() || value.starts_with('/')) {
        return value;
    }
    return startedTwice(start(base) + "/" + value, base);
}

std::string absoluteChroot(const std::string& value, const PathBase& base) {
    const std::size_t word = value.find(kPrefixWord);
    if (value.starts_with('/') || word == std::string::npos) {
        return absolutePoolPath(value, base);
    }
    if (word != 0) {
        return value;
    }
    const std::string rest = value.substr(kPrefixWord.size());
    return startedTwice(rest.empty() ? start(base) : start(base) + "/" + rest, base);
}

std::string absoluteIniValue(const std::string& name, const std::string& value,
                             const PathBase& base) {
    constexpr std::array<std::string_view, 14> kFileSettings = {
        "error_log",
        "extension_dir",
        "sendmail_path",
        "session.cookie_path",
        "session_pgsql.sem_file_name",
        "soap.wsdl_cache_dir",
        "uploadprogress.file.filename_template",
        "xdebug.output_dir",
        "xdebug.profiler_output_dir",
        "xdebug.trace_output_dir",
        "xmms.path",
        "axis2.client_home",
        "blenc.key_file",
        "coin_acceptor.device"};
    const std::string lower = lowered(name);
    if (std::find(kFileSettings.begin(), kFileSettings.end(), lower) == kFileSettings.end()) {
        return value;
    }
    if (lower == "error_log" && lowered(value) == "syslog") {
        return value;
    }
    return absolutePoolPath(value, base);
}

}  // namespace muster::config
