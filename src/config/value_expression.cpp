// A recursive-descent reader for values; all binary operators have one rank and group to the left,
// as in php-fpm.
#include "config/value_expression.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "config/php_constants.h"
#include "config/text.h"

namespace muster::config {
namespace {

using namespace std::string_view_literals;

constexpr int kDeepest = 64;  // nested parentheses, operators or fallbacks
constexpr std::string_view kEndsWord = "= \t\r\n;&|^~()!\"'\0"sv;
constexpr std::string_view kNotInName = "=\n\r\t;&|^$~(){}!\"[]\0"sv;

using Text = tl::expected<std::string, Problem>;

tl::unexpected<Problem> syntaxError(const std::string& found, const std::string& expected) {
    return tl::make_unexpected(
        Problem{"syntax error, unexpected " + found, "expected " + expected});
}

/// atoi() as PHP's parser sees it, without its undefined overflow: wraps to 32 bits.
std::int32_t integerOf(const std::string& text) {
    return static_cast<std::int32_t>(std::strtoll(text.c_str(), nullptr, 10));
}

class Parser {
  public:
    Parser(std::string_view raw, const VariableLookup& lookup) : raw_(raw), lookup_(lookup) {}

    tl::expected<Value, Problem> value();
    tl::expected<BracketText, Problem> brackets();

  private:
    [[nodiscard]] bool atEnd() const { return position_ >= raw_.size(); }
    [[nodiscard]] char peek() const { return raw_[position_]; }
    [[nodiscard]] bool startsWith(std::string_view text) const {
        return raw_.substr(position_).starts_with(text);
    }
    /// Nothing of the value is left: end of line, a comment, or an unmatched quote.
    [[nodiscard]] bool valueEnds() const { return ended_ || atEnd() || peek() == ';'; }
    void skipBlanks() {
        while (!atEnd() && isBlank(peek())) {
            ++position_;
        }
    }
    [[nodiscard]] std::string found() const {
        if (ended_) {
            return "single quote without its partner";
        }
        return valueEnds() ? "end of value" : quoted(raw_.substr(position_, 1));
    }

    Text expression(int depth);
    Text operand(int depth);
    Text pieces();
    Text word();
    Text doubleQuoted();
    tl::expected<void, Problem> singleQuoted(std::string& result);
    Text variable(int depth);
    Text fallback(int depth);

    std::string_view raw_;
    const VariableLookup& lookup_;
    std::size_t position_ = 0;
    bool ended_ = false;  // by an unmatched single quote
};

tl::expected<Value, Problem> Parser::value() {
    skipBlanks();
    if (valueEnds()) {
        return Value{};
    }
    const std::string_view rest = raw_.substr(position_);
    const std::size_t wordSize = std::min(rest.find_first_of(kEndsWord), rest.size());
    if (const auto truth = reservedWord(rest.substr(0, wordSize))) {
        position_ += wordSize;
        skipBlanks();
        ended_ = startsWith("'") && raw_.find('\'', position_ + 1) == std::string_view::npos;
        if (!valueEnds()) {
            return syntaxError(found() + " after the bare word " + quoted(rest.substr(0, wordSize)),
                               "the end of the value, or double quotes around the whole value");
        }
        return Value{*truth ? "1" : "", ended_};
    }
    auto text = expression(0);
    if (!text) {
        return tl::make_unexpected(text.error());
    }
    if (!valueEnds()) {
        return syntaxError(found(),
                           "the end of the value or one of | & ^ (a value that contains "
                           "such a character needs double quotes)");
    }
    return Value{std::move(*text), ended_};
}

Text Parser::expression(int depth) {
    auto left = operand(depth);
    while (left && !valueEnds() && (peek() == '|' || peek() == '&' || peek() == '^')) {
        const char sign = raw_[position_++];
        skipBlanks();
        auto right = operand(depth);
        if (!right) {
            return right;
        }
        const auto a = static_cast<std::uint32_t>(integerOf(*left));
        const auto b = static_cast<std::uint32_t>(integerOf(*right));
        const std::uint32_t bits = sign == '|' ? (a | b) : sign == '&' ? (a & b) : (a ^ b);
        left = std::to_string(static_cast<std::int32_t>(bits));
    }
    return left;
}

Text Parser::operand(int depth) {
    if (depth > kDeepest) {
        return syntaxError("operators nested more than " + std::to_string(kDeepest) + " deep",
                           "a plain value");
    }
    if (valueEnds() || std::string_view("~!(").find(peek()) == std::string_view::npos) {
        return pieces();
    }
    const char sign = raw_[position_++];
    skipBlanks();
    auto inner = sign == '(' ? expression(depth + 1) : operand(depth + 1);
    if (!inner) {
        return inner;
    }
    if (sign == '~') {
        return std::to_string(~integerOf(*inner));
    }
    if (sign == '!') {
        return std::string(integerOf(*inner) == 0 ? "1" : "0");
    }
    if (valueEnds() || peek() != ')') {
        return syntaxError(found(), "')'");
    }
    ++position_;
    skipBlanks();
    return inner;
}

/// Concatenated pieces; blanks between them count, except beside double quotes and at the end.
Text Parser::pieces() {
    std::string result;
    bool any = false;
    for (;;) {
        const std::size_t blanksFrom = position_;
        skipBlanks();
        const std::string_view blanks = raw_.substr(blanksFrom, position_ - blanksFrom);
        if (valueEnds()) {
            break;
        }
        Text piece;
        if (peek() == '"') {
            piece = doubleQuoted();
            skipBlanks();
        } else {
            const std::size_t before = position_;
            result += blanks;
            if (peek() == '\'') {
                if (auto done = singleQuoted(result); !done) {
                    return tl::make_unexpected(done.error());
                }
                any = any || !ended_;
                continue;
            }
            piece = startsWith("${") ? variable(0) : word();
            if (piece && position_ == before) {
                break;  // an operator, ')' or '=': the caller's business
            }
        }
        if (!piece) {
            return piece;
        }
        result += *piece;
        any = true;
    }
    if (!any) {
        return syntaxError(found(), "a value");
    }
    return result;
}

Text Parser::word() {
    const std::size_t from = position_;
    while (!atEnd() && kEndsWord.find(peek()) == std::string_view::npos) {
        if (peek() == '$') {
            if (startsWith("${")) {
                break;
            }
            // '$' keeps the byte behind it literal, '$\\' the two behind it.
            position_ = std::min(position_ + (startsWith("$\\") ? 2 : 1), raw_.size());
            if (atEnd()) {
                break;
            }
        }
        ++position_;
    }
    const std::string_view text = raw_.substr(from, position_ - from);
    if (reservedWord(text)) {
        return syntaxError("bare word " + quoted(text) + " among other text",
                           "double quotes around the whole value");
    }
    return std::string(phpConstant(text).value_or(text));
}

Text Parser::doubleQuoted() {
    ++position_;
    std::string result;
    while (!atEnd() && peek() != '"') {
        if (startsWith("${")) {
            auto text = variable(0);
            if (!text) {
                return text;
            }
            result += *text;
            continue;
        }
        // A backslash before the last quote of a line is itself ("C:\dir\" closes there).
        if (peek() == '\\' && position_ + 1 < raw_.size() && raw_.substr(position_) != "\\\"") {
            const char next = raw_[position_ + 1];
            if (next != '"' && next != '\\' && next != '$') {
                result += '\\';
            }
            result += next;
            position_ += 2;
            continue;
        }
        result += raw_[position_++];
    }
    if (atEnd()) {
        return syntaxError("end of line", "'\"' to close the quoted text on its line");
    }
    ++position_;
    return result;
}

tl::expected<void, Problem> Parser::singleQuoted(std::string& result) {
    const std::size_t close = raw_.find('\'', position_ + 1);
    if (close == std::string_view::npos) {
        ended_ = true;
        return {};
    }
    if (close == position_ + 1) {
        return tl::make_unexpected(Problem{kNoValue, "found '', expected \"\" for an empty text"});
    }
    result += raw_.substr(position_ + 1, close - position_ - 1);
    position_ = close + 1;
    return {};
}

/// ${NAME} and ${NAME:-fallback}.
Text Parser::variable(int depth) {
    if (depth > kDeepest) {
        return syntaxError("${...} nested more than " + std::to_string(kDeepest) + " deep",
                           "a plain fallback");
    }
    position_ += 2;
    skipBlanks();
    const std::size_t from = position_;
    while (!atEnd() && kNotInName.find(peek()) == std::string_view::npos && !startsWith(":-")) {
        ++position_;
    }
    const std::string_view name = trimmed(raw_.substr(from, position_ - from));
    std::optional<std::string> otherwise;
    if (startsWith(":-")) {
        position_ += 2;
        auto text = fallback(depth + 1);
        if (!text) {
            return text;
        }
        otherwise = std::move(*text);
    }
    skipBlanks();
    if (atEnd() || peek() != '}') {
        return syntaxError(atEnd() ? "end of line" : found(), "'}' to close '${'");
    }
    if (name.empty()) {
        return syntaxError("'}'", "a name after '${'");
    }
    ++position_;
    auto value = lookup_(std::string(name));
    return value ? std::move(*value) : otherwise.value_or("");
}

Text Parser::fallback(int depth) {
    std::string result;
    while (!atEnd() && peek() != '}') {
        if (startsWith("${")) {
            auto text = variable(depth);
            if (!text) {
                return text;
            }
            result += *text;
        } else {
            result += raw_[position_++];
        }
    }
    return result;
}

tl::expected<BracketText, Problem> Parser::brackets() {
    BracketText result;
    while (!atEnd() && peek() != ']' && peek() != ';' && peek() != '\r') {
        if (peek() == '"') {
            auto text = doubleQuoted();
            if (!text) {
                return tl::make_unexpected(text.error());
            }
            result.text += *text;
            skipBlanks();
        } else if (peek() == '\'') {
            const std::size_t close = raw_.find('\'', position_ + 1);
            if (close == std::string_view::npos || close == position_ + 1) {
                return syntaxError("single quote without text and a closing one", "'...'");
            }
            result.text += raw_.substr(position_ + 1, close - position_ - 1);
            position_ = close + 1;
        } else if (startsWith("${")) {
            auto text = variable(0);
            if (!text) {
                return tl::make_unexpected(text.error());
            }
            result.text += *text;
        } else {
            if ((peek() == '\\' || peek() == '$') && position_ + 1 < raw_.size()) {
                result.text += raw_[position_++];  // keeps the byte behind it literal
            }
            result.text += raw_[position_++];
        }
    }
    if (atEnd() || peek() != ']') {
        return syntaxError(atEnd() ? "end of line" : quoted(raw_.substr(position_, 1)), "']'");
    }
    result.end = position_ + 1;
    return result;
}

}  // namespace

std::optional<bool> reservedWord(std::string_view word) {
    constexpr std::array<std::string_view, 3> kTrue = {"true", "on", "yes"};
    constexpr std::array<std::string_view, 5> kFalse = {"false", "off", "no", "none", "null"};
    if (word.size() > 5) {
        return std::nullopt;
    }
    const std::string lower = lowered(word);
    if (std::find(kTrue.begin(), kTrue.end(), lower) != kTrue.end()) {
        return true;
    }
    if (std::find(kFalse.begin(), kFalse.end(), lower) != kFalse.end()) {
        return false;
    }
    return std::nullopt;
}

tl::expected<Value, Problem> evaluateValue(std::string_view raw, const VariableLookup& lookup) {
    return Parser(raw, lookup).value();
}

tl::expected<BracketText, Problem> evaluateBrackets(std::string_view raw,
                                                    const VariableLookup& lookup) {
    return Parser(raw, lookup).brackets();
}

}  // namespace muster::config
