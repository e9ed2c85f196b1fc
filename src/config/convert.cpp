// The converters, one per type.
#include "config/convert.h"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

#include "config/text.h"

namespace muster::config {
namespace {

using Outcome = tl::expected<Accepted, Rejection>;

tl::unexpected<Rejection> reject(std::string reason, std::string expected = {}) {
    return tl::make_unexpected(Rejection{std::move(reason), std::move(expected)});
}

struct Number {
    std::int64_t value = 0;
    std::size_t used = 0;  ///< bytes that belong to it
    bool fits = true;      ///< in an int
};

/// The number at the start, as atoi() reads it: none is 0.
Number leadingNumber(std::string_view text) {
    Number number;
    std::int64_t value = 0;
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        number.used = 1;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::invalid_argument) {
        return number;
    }
    number.used += static_cast<std::size_t>(end - text.data());
    number.value = value;
    number.fits = error == std::errc{} && value >= std::numeric_limits<int>::min() &&
                  value <= std::numeric_limits<int>::max();
    return number;
}

constexpr std::string_view kUnlimitedWord = "unlimited";
constexpr std::string_view kTooLarge = "a number no larger than 2147483647";

Outcome storeInteger(int& target, std::string_view value) {
    constexpr const char* kReason = "is not a valid number (greater or equal than zero)";
    const std::string_view digits = value.substr(value.starts_with('-') ? 1 : 0);
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return reject(kReason);
    }
    const Number number = leadingNumber(value);
    if (!number.fits) {
        return reject(kReason, std::string(kTooLarge));
    }
    target = static_cast<int>(number.value);
    return Accepted{};
}

Outcome storeSeconds(int& target, std::string_view value) {
    if (value.empty()) {
        return reject("invalid time value");
    }
    std::int64_t unit = 1;
    std::string_view digits = value.substr(0, value.size() - 1);
    switch (value.back()) {
        case 's':
            break;
        case 'm':
            unit = 60;
            break;
        case 'h':
            unit = 3600;
            break;
        case 'd':
            unit = 86400;
            break;
        default:
            if (value.back() < '0' || value.back() > '9') {
                return reject("unknown suffix used in time value");
            }
            digits = value;
    }
    const Number number = leadingNumber(digits);
    const std::int64_t seconds = number.fits ? number.value * unit : 0;
    if (!number.fits || seconds > std::numeric_limits<int>::max() ||
        seconds < std::numeric_limits<int>::min()) {
        return reject("invalid time value", "a time of at most 2147483647 seconds");
    }
    target = static_cast<int>(seconds);
    if (number.used != digits.size() || digits.empty()) {
        return Accepted{"is read as " + std::to_string(seconds) + " seconds"};
    }
    return Accepted{};
}

Outcome storeBytes(std::int64_t& target, std::string_view value) {
    int shift = 0;
    std::string_view digits = value.substr(0, value.empty() ? 0 : value.size() - 1);
    switch (value.empty() ? '\0' : value.back()) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            digits = value;
    }
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return reject("is not a valid size");
    }
    const Number number = leadingNumber(digits);
    if (!number.fits) {
        return reject("is not a valid size", std::string(kTooLarge));
    }
    target = number.value << shift;
    return Accepted{};
}

Outcome storeCoreLimit(int& target, std::string_view value) {
    if (lowered(value) == kUnlimitedWord) {
        target = kUnlimited;
        return Accepted{};
    }
    int bytes = 0;
    auto stored = storeInteger(bytes, value);
    if (stored && bytes < 0) {
        return reject("must be greater than zero or 'unlimited'");
    }
    if (stored) {
        target = bytes;
    }
    return stored;
}

tl::expected<bool, Rejection> parseBoolean(std::string_view value) {
    constexpr std::array<std::string_view, 4> kTrue = {"1", "yes", "true", "on"};
    constexpr std::array<std::string_view, 6> kFalse = {"", "0", "no", "none", "false", "off"};
    if (std::find(kTrue.begin(), kTrue.end(), value) != kTrue.end()) {
        return true;
    }
    if (std::find(kFalse.begin(), kFalse.end(), value) != kFalse.end()) {
        return false;
    }
    return reject("invalid boolean value");
}

struct NamedLevel {
    std::string_view name;
    LogLevel level;
};
constexpr std::array<NamedLevel, 6> kLevels = {{{"debug", LogLevel::debug},
                                                {"notice", LogLevel::notice},
                                                {"warning", LogLevel::warning},
                                                {"warn", LogLevel::warning},
                                                {"error", LogLevel::error},
                                                {"alert", LogLevel::alert}}};

Outcome storeLevel(LogLevel& target, std::string_view value) {
    const std::string name = lowered(value);
    for (const NamedLevel& level : kLevels) {
        if (level.name == name) {
            target = level.level;
            return Accepted{};
        }
    }
    return reject("invalid value for 'log_level'");
}

struct NamedFacility {
    std::string_view name;
    int number;
};
constexpr std::array<NamedFacility, 20> kFacilities = {
    {{"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
     {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"kern", LOG_KERN},
     {"lpr", LOG_LPR},       {"mail", LOG_MAIL},         {"news", LOG_NEWS},
     {"syslog", LOG_SYSLOG}, {"user", LOG_USER},         {"uucp", LOG_UUCP},
     {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2},
     {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5},
     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}}};
static_assert(LOG_DAEMON == kLogDaemon);

Outcome storeFacility(int& target, std::string_view value) {
    const std::string name = lowered(value);
    for (const NamedFacility& facility : kFacilities) {
        if (facility.name == name) {
            target = facility.number;
            return Accepted{};
        }
    }
    return reject("invalid value");
}

Outcome storeLogFormat(LogFormat& target, std::string_view value) {
    const std::string name = lowered(value);
    if (name != "text" && name != "json") {
        return reject("invalid value");
    }
    target = name == "json" ? LogFormat::json : LogFormat::text;
    return Accepted{};
}

Outcome storeStopManner(StopManner& target, std::string_view value) {
    const std::string name = lowered(value);
    if (name != "fast" && name != "graceful") {
        return reject("invalid value");
    }
    target = name == "fast" ? StopManner::fast : StopManner::graceful;
    return Accepted{};
}

Outcome storeProcessManager(ProcessManager& target, std::string_view value) {
    for (const auto pm :
         {ProcessManager::fixed, ProcessManager::dynamic, ProcessManager::ondemand}) {
        if (lowered(value) == processManagerName(pm)) {
            target = pm;
            return Accepted{};
        }
    }
    return reject("invalid process manager (static, dynamic or ondemand)");
}

Outcome storeManagerLife(ManagerLife& target, std::string_view value) {
    const std::string name = lowered(value);
    if (name != "eager" && name != "lazy") {
        return reject("invalid value");
    }
    target = name == "lazy" ? ManagerLife::lazy : ManagerLife::eager;
    return Accepted{};
}

/// Overloads by the member's type; visitTarget() chooses.
struct Store {
    const Directive& directive;
    const std::string& value;

    Outcome operator()(std::string& target) const {
        target = value;
        return Accepted{};
    }
    Outcome operator()(int& target) const {
        switch (directive.type) {
            case Type::seconds:
                return storeSeconds(target, value);
            case Type::rlimitCore:
                return storeCoreLimit(target, value);
            case Type::facility:
                return storeFacility(target, value);
            default:
                return storeInteger(target, value);
        }
    }
    Outcome operator()(std::int64_t& target) const { return storeBytes(target, value); }
    template <typename Kind>
    Outcome operator()(std::optional<Kind>& target) const {
        Kind stored{};
        auto outcome = operator()(stored);
        if (outcome) {
            target = std::move(stored);
        }
        return outcome;
    }
    Outcome operator()(bool& target) const {
        const auto truth = parseBoolean(value);
        if (!truth) {
            return tl::make_unexpected(truth.error());
        }
        target = *truth;
        return Accepted{};
    }
    Outcome operator()(LogLevel& target) const { return storeLevel(target, value); }
    Outcome operator()(LogFormat& target) const { return storeLogFormat(target, value); }
    Outcome operator()(StopManner& target) const { return storeStopManner(target, value); }
    Outcome operator()(ProcessManager& target) const { return storeProcessManager(target, value); }
    Outcome operator()(ManagerLife& target) const { return storeManagerLife(target, value); }
    Outcome operator()(std::vector<KeyValue>& /*target*/) const {
        return reject("is an array");  // the reader never stores an array through here
    }
};

struct Show {
    const Directive& directive;
    bool written;

    std::string operator()(const std::string& value) const {
        const bool shown = written && directive.dump != DumpStyle::emptyIsUndefined;
        return value.empty() && !shown ? "undefined" : value;
    }
    std::string operator()(int value) const {
        const bool unit =
            directive.type == Type::seconds && directive.dump != DumpStyle::plainSeconds;
        return std::to_string(value) + (unit ? "s" : "");
    }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(bool value) const { return value ? "yes" : "no"; }
    std::string operator()(const std::optional<LogLevel>& value) const {
        return value ? logLevelName(*value) : "unknown value";
    }
    std::string operator()(const std::optional<std::string>& value) const {
        return value.value_or("undefined");
    }
    std::string operator()(const std::optional<int>& value) const {
        if (value) {
            return operator()(*value);
        }
        return directive.type == Type::seconds ? std::string(directive.defaultText) : "undefined";
    }
    std::string operator()(LogFormat value) const {
        return value == LogFormat::json ? "json" : "text";
    }
    std::string operator()(const std::optional<StopManner>& value) const {
        return value == StopManner::graceful ? "graceful" : "fast";
    }
    std::string operator()(ProcessManager value) const { return processManagerName(value); }
    std::string operator()(ManagerLife value) const {
        return value == ManagerLife::lazy ? "lazy" : "eager";
    }
    std::string operator()(const std::vector<KeyValue>& /*value*/) const { return {}; }
};

}  // namespace

tl::expected<Accepted, Rejection> storeScalar(const Directive& directive, SettingsRef settings,
                                              const std::string& value) {
    return visitTarget(directive, settings, Store{directive, value});
}

tl::expected<std::string, Rejection> arrayValue(const Directive& directive,
                                                const std::string& value) {
    if (directive.type != Type::flagArray) {
        return value;
    }
    const auto truth = parseBoolean(value);
    if (!truth) {
        return tl::make_unexpected(truth.error());
    }
    return std::string(*truth ? "1" : "0");
}

std::string scalarText(const Directive& directive, ConstSettingsRef settings, bool written) {
    return visitTarget(directive, settings, Show{directive, written});
}

}  // namespace muster::config
