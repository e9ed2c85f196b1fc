// The directive table: the only place that knows a directive.
//
// One row per directive: name, scope, type, where the value lives in the settings, documented
// default, range check, what it is for. Parsing, validation messages, "did you mean", -tt's dump,
// the transfer to managers and the reference documentation are all made from the rows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings.h"

namespace muster::config {

enum class Scope { global, pool };
enum class Type {
    text,
    optionalText,  ///< empty is a value of its own, unlike not written
    path,          ///< made absolute with the prefix rules (spec config §4.1)
    listen,        ///< text; made absolute when it is a unix path
    integer,
    seconds,  ///< s m h d
    bytes,    ///< K M G
    boolean,
    logLevel,
    logFormat,
    stopManner,
    facility,
    rlimitCore,  ///< a number, or "unlimited"
    processManager,
    managerLife,
    list,       ///< key[] = value, without keys
    array,      ///< key[offset] = value, not empty
    iniArray,   ///< the same for PHP settings: may be empty, known file settings made absolute
    flagArray,  ///< the same with a boolean value; shares the target of an iniArray
};

/// Where the value lives: exactly one member pointer, matching the type.
using Target =
    std::variant<std::string GlobalSettings::*, int GlobalSettings::*,
                 std::optional<int> GlobalSettings::*, bool GlobalSettings::*,
                 std::optional<LogLevel> GlobalSettings::*, LogFormat GlobalSettings::*,
                 std::optional<StopManner> GlobalSettings::*, std::string PoolSettings::*,
                 std::optional<std::string> PoolSettings::*, int PoolSettings::*,
                 std::optional<int> PoolSettings::*, std::int64_t PoolSettings::*,
                 bool PoolSettings::*, ProcessManager PoolSettings::*, ManagerLife PoolSettings::*,
                 std::vector<KeyValue> PoolSettings::*>;

/// How -tt shows a value that its type alone does not settle (spec config §9).
enum class DumpStyle {
    standard,          ///< an unset text is "undefined", seconds end in "s"
    plainSeconds,      ///< seconds without the "s"
    emptyIsUndefined,  ///< an empty text is no value, even when a line says so
    ownDirective,      ///< php-fpm does not have it: shown when it was written
    hidden,            ///< never shown
};

struct CheckContext;                    // checks.h
using Check = void (*)(CheckContext&);  ///< run once per scope (pool) after everything is read

struct Directive {
    std::string_view name;
    Scope scope;
    Type type;
    Target target;
    std::string_view defaultText;  ///< as documented, e.g. "32", "none", "log/php-fpm.log"
    std::string_view expects;      ///< for error messages: "a whole number of at least 1"
    std::string_view text;         ///< what it is for, one or two sentences
    Check check = nullptr;         ///< rules about the value and its neighbours; null: none
    DumpStyle dump = DumpStyle::standard;
};

/// In the order of -tt's dump; the checks run in this order too. `include` is not a row: it is an
/// act of the reader, valid in any scope, and keeps no value.
[[nodiscard]] std::span<const Directive> directives();

inline constexpr std::string_view kInclude = "include";

/// Case-insensitive for scalars, exact for arrays (spec config §3.2). Null when unknown in scope.
[[nodiscard]] const Directive* findDirective(Scope scope, std::string_view name, bool array);

/// The nearest known name in any scope (`include` too), when it is near enough to be meant.
[[nodiscard]] std::optional<std::string_view> suggestDirective(std::string_view name);

}  // namespace muster::config
