// Evaluates what stands right of '=' and between brackets: quotes, ${NAME}, bare words, PHP's
// constants, bit operators (spec config §3.3, §3.4).
//
// inih has no notion of these, so they are ours. Pure functions; nothing is read but through the
// given look-up.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace muster::config {

/// What is wrong with a line.
struct Problem {
    std::string text;    ///< php-fpm's words, or "syntax error, unexpected ..."
    std::string detail;  ///< what was found or expected
};

/// php-fpm's words for an entry without '=', or with '' as its value.
inline constexpr const char* kNoValue = "value is NULL for a ZEND_INI_PARSER_ENTRY";

/// The value behind ${NAME}; nothing when no source knows the name.
using VariableLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// What a bare true/on/yes or false/off/no/none/null stands for (any case); nothing for other text.
[[nodiscard]] std::optional<bool> reservedWord(std::string_view word);

struct Value {
    std::string text;
    bool restDropped = false;  ///< an unmatched ' ended the value early, as in php-fpm
};

/// `raw` is the text after '=' up to the end of the line, comment included.
[[nodiscard]] tl::expected<Value, Problem> evaluateValue(std::string_view raw,
                                                         const VariableLookup& lookup);

struct BracketText {
    std::string text;
    std::size_t end = 0;  ///< offset just behind the ']'
};

/// A section name or an array's key: `raw` starts just behind the '['.
[[nodiscard]] tl::expected<BracketText, Problem> evaluateBrackets(std::string_view raw,
                                                                  const VariableLookup& lookup);

}  // namespace muster::config
