// Turns the text of a value into a typed setting, and a setting back into text (spec config §5).
//
// Pure: no files, no user data base.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>

#include "config/directives.h"

namespace muster::config {

/// The settings a row's target points into: exactly one of the two is set, by the row's scope.
struct SettingsRef {
    GlobalSettings* global = nullptr;
    PoolSettings* pool = nullptr;
};
struct ConstSettingsRef {
    const GlobalSettings* global = nullptr;
    const PoolSettings* pool = nullptr;
};

/// Calls `visitor` with the member a row stands for.
template <typename Ref, typename Visitor>
auto visitTarget(const Directive& directive, Ref settings, Visitor&& visitor) {
    return std::visit(
        [&](auto member) {
            if constexpr (std::is_invocable_v<decltype(member), GlobalSettings&>) {
                return visitor(settings.global->*member);
            } else {
                return visitor(settings.pool->*member);
            }
        },
        directive.target);
}

/// The same for a row of a pool; false, and not called, for one of [global].
template <typename Ref, typename Visitor>
bool visitPoolTarget(const Directive& directive, Ref settings, Visitor&& visitor) {
    return std::visit(
        [&](auto member) {
            constexpr bool kOfPool = std::is_invocable_v<decltype(member), PoolSettings&>;
            if constexpr (kOfPool) {
                visitor(settings.pool->*member);
            }
            return kOfPool;
        },
        directive.target);
}

/// The same the other way round: for a row of [global].
template <typename Ref, typename Visitor>
bool visitGlobalTarget(const Directive& directive, Ref settings, Visitor&& visitor) {
    return std::visit(
        [&](auto member) {
            constexpr bool kGlobal = std::is_invocable_v<decltype(member), GlobalSettings&>;
            if constexpr (kGlobal) {
                visitor(settings.global->*member);
            }
            return kGlobal;
        },
        directive.target);
}

struct Rejection {
    std::string reason;    ///< php-fpm's text
    std::string expected;  ///< empty: the row's `expects`
};

struct Accepted {
    std::string remark;  ///< not empty: accepted as php-fpm does, but hardly what was meant
};

/// Stores a scalar. Texts are stored as they are: paths are made absolute by the reader.
[[nodiscard]] tl::expected<Accepted, Rejection> storeScalar(const Directive& directive,
                                                            SettingsRef settings,
                                                            const std::string& value);

/// The value of an array entry as it is stored: flags become "1" or "0".
[[nodiscard]] tl::expected<std::string, Rejection> arrayValue(const Directive& directive,
                                                              const std::string& value);

/// A scalar as -tt shows it: an empty text that was not `written` is "undefined".
[[nodiscard]] std::string scalarText(const Directive& directive, ConstSettingsRef settings,
                                     bool written = false);

}  // namespace muster::config
