// Small text helpers of this room: quoting hostile values for a message, blanks, letter case.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace muster::config {

/// Fit for one log line: control bytes as \xNN, cut after 120 bytes with "...".
[[nodiscard]] std::string shown(std::string_view text);

/// The same without the cut at 120 bytes, for the texts that php-fpm prints whole: they are cut
/// where it cuts a line.
[[nodiscard]] std::string verbatim(std::string_view text);

/// shown() between single quotes.
[[nodiscard]] std::string quoted(std::string_view text);

/// "[file:line]".
[[nodiscard]] std::string where(const Origin& origin);

[[nodiscard]] bool isBlank(char c);  ///< space or tab
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// The pieces between separators, trimmed; none of an empty text.
[[nodiscard]] std::vector<std::string> pieces(std::string_view text, char separator);
[[nodiscard]] std::string lowered(std::string_view text);  ///< ASCII letters only

}  // namespace muster::config
