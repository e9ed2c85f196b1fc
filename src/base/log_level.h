// The levels of the error log, in php-fpm's words (spec/logging.md §1).
#pragma once

#include <functional>
#include <string>

namespace muster {

enum class LogLevel { debug = 1, notice = 2, warning = 3, error = 4, alert = 5 };

/// "DEBUG" … "ALERT", as printed in a log line.
[[nodiscard]] constexpr const char* logLevelName(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "DEBUG";
        case LogLevel::notice:
            return "NOTICE";
        case LogLevel::warning:
            return "WARNING";
        case LogLevel::error:
            return "ERROR";
        case LogLevel::alert:
            return "ALERT";
    }
    return "NOTICE";
}

/// Where code that knows no log puts its lines.
using Say = std::function<void(LogLevel, const std::string&)>;

}  // namespace muster
