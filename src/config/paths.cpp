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

std::string absolutePoolPath(const std::string& value, const std::string& prefix) {
    if (value.empty()) {
        return value;
    }
    std::string path = absolutePath(value, prefix, kBaseDirectory);
    // php-fpm puts a relative -p before a pool's path twice; files would move if we did not.
    return absolutePath(path, prefix, kBaseDirectory);
}

std::string absoluteIniValue(const std::string& name, const std::string& value,
                             const std::string& prefix) {
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
    return absolutePoolPath(value, prefix);
}

}  // namespace muster::config
