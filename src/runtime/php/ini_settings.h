// Ini settings from outside of PHP: those of the pool, and those a request brings along
// (request-environment.md §6.2, §6.3).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace muster::php {

using IniList = std::vector<std::pair<std::string, std::string>>;

/// php_value and php_admin_value of the pool, in order. After module start-up, before a fork.
void applyPoolSettings(const IniList& values, const IniList& adminValues);

/// The parameters PHP_VALUE and PHP_ADMIN_VALUE of the request at hand.
void applyRequestSettings() noexcept;

/// Instead of that: says which ones are not obeyed (security.allow_php_value).
void refuseRequestSettings() noexcept;

/// Takes these back, but for extensions that were loaded and functions and classes that were
/// disabled. Outside of a request.
void undoRequestSettings() noexcept;

}  // namespace muster::php
