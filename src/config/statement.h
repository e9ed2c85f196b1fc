// Splits one physical line into statements: section headers, `key = value`, `key[offset] = value`.
//
// Scalar entries are split by inih, one line at a time, so that line numbers and errors are exact.
// What inih cannot represent is done here: section headers (it cuts names at 49 bytes, does not
// report empty sections and drops what follows the ']'), array entries (an offset may hold '=' or
// ':'), a bare carriage return as a line end, and ':' inside a key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/value_expression.h"

namespace muster::config {

struct Statement {
    enum class Kind { section, entry, array };
    Kind kind = Kind::entry;
    std::string key;     ///< section: its name
    std::string offset;  ///< array: the text between the brackets
    Value value;         ///< entry, array
};

struct LineError {
    Problem problem;
    std::string key;  ///< the entry it belongs to, as far as it was recognised
};

/// LineError::key of a section header that could not be read.
inline constexpr const char* kSectionKey = "[";

struct ParsedLine {
    std::vector<Statement> statements;  ///< those before the error, if there is one
    std::optional<LineError> error;     ///< ends the line
};

/// `line` is without its '\n'; a NUL ends its content. Never fails otherwise.
[[nodiscard]] ParsedLine parseLine(std::string_view line, const VariableLookup& lookup);

}  // namespace muster::config
