// Statements of one line, with inih for the ordinary ones.
#include "config/statement.h"

#include <ini.h>

#include <algorithm>
#include <limits>

#include "config/text.h"

namespace muster::config {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kNotInKey = "=\n\r\t;&|^$~(){}!\"[\0"sv;

struct RawEntry {
    std::string key;
    std::optional<std::string> value;  ///< nothing: there was no '='
};

int keepEntry(void* user, const char* /*section*/, const char* name, const char* value) noexcept {
    auto& entry = *static_cast<std::optional<RawEntry>*>(user);
    entry.emplace();
    entry->key = name;
    if (value != nullptr) {
        entry->value = value;
    }
    return 1;
}

/// Nothing for a blank line or a comment.
std::optional<RawEntry> splitWithInih(const std::string& text) {
    static char commentPrefix[] = ";";
    ini_start_comment_prefixes = commentPrefix;
    ini_allow_inline_comments = false;  // a ';' may stand inside quotes: the value's reader decides
    ini_allow_multiline = false;
    ini_allow_no_value = true;
    ini_allow_bom = false;
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = std::numeric_limits<int>::max();
    ini_initial_alloc = static_cast<int>(text.size()) + 3;

    std::optional<RawEntry> entry;
    ini_parse_string(text.c_str(), keepEntry, &entry);
    const std::size_t separator = text.find_first_of("=:");
    if (entry && separator != std::string::npos && text[separator] == ':') {
        // inih takes ':' for '=' as well; here it is an ordinary character of a key.
        const std::size_t equals = text.find('=');
        entry->key = trimmed(text.substr(0, equals));
        entry->value.reset();
        if (equals != std::string::npos) {
            entry->value = trimmed(std::string_view(text).substr(equals + 1));
        }
    }
    return entry;
}

/// Where the first stretch ends: at a bare carriage return outside quotes.
std::size_t findLineEnd(std::string_view line) {
    bool comment = false;
    bool value = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\r') {
            return i;
        }
        comment = comment || c == ';';
        value = value || c == '=' || c == '[';
        if (comment || !value) {
            continue;
        }
        if (c == '$' && line.substr(i).size() > 1 && line[i + 1] != '{' && line[i + 1] != '\r') {
            ++i;
        } else if (c == '"') {
            for (++i; i < line.size() && line[i] != '"'; ++i) {
                i += line[i] == '\\' ? 1U : 0U;
            }
        } else if (c == '\'') {
            const std::size_t close = line.find('\'', i + 1);
            i = close == std::string_view::npos ? i : close;
        }
    }
    return line.size();
}

class LineParser {
  public:
    explicit LineParser(const VariableLookup& lookup) : lookup_(lookup) {}

    bool parse(std::string_view rest);
    ParsedLine take() { return std::move(result_); }

  private:
    bool fail(Problem problem, std::string key = {}) {
        result_.error = LineError{std::move(problem), std::move(key)};
        return false;
    }
    bool failWithoutValue(const std::string& key) {
        return fail(
            {kNoValue, "found " + quoted(key) + " alone, expected '" + shown(key) + " = value'"},
            key);
    }
    bool section(std::string_view& rest);
    bool array(std::string_view text, std::size_t bracket);
    bool scalar(std::string_view text);
    bool checkKey(const std::string& key, bool array);

    const VariableLookup& lookup_;
    ParsedLine result_;
};

/// One stretch of a line that holds no bare carriage return. False: stop, an error was noted.
bool LineParser::parse(std::string_view rest) {
    bool indented = false;
    while (!rest.empty()) {
        if (isBlank(rest.front())) {
            indented = indented || rest.front() == ' ';
            rest.remove_prefix(1);
            continue;
        }
        if (rest.front() != '[') {
            const std::size_t mark = rest.find_first_of("[=;");
            return mark != std::string_view::npos && rest[mark] == '[' ? array(rest, mark)
                                                                       : scalar(rest);
        }
        if (indented) {
            return fail({"syntax error, unexpected '['",
                         "found a space before '[', expected the section header at the start of "
                         "the line"},
                        kSectionKey);
        }
        if (!section(rest)) {
            return false;
        }
    }
    return true;
}

/// Blanks behind the ']' belong to it: another header may follow.
bool LineParser::section(std::string_view& rest) {
    auto name = evaluateBrackets(rest.substr(1), lookup_);
    if (!name) {
        return fail(name.error(), kSectionKey);
    }
    result_.statements.push_back({Statement::Kind::section, name->text, {}, {}});
    rest.remove_prefix(1 + name->end);
    while (!rest.empty() && isBlank(rest.front())) {
        rest.remove_prefix(1);
    }
    return true;
}

bool LineParser::array(std::string_view text, std::size_t bracket) {
    const std::string key(trimmed(text.substr(0, bracket)));
    if (!checkKey(key, true)) {
        return false;
    }
    std::size_t start = bracket + 1;
    while (start < text.size() && isBlank(text[start])) {
        ++start;
    }
    auto offset = evaluateBrackets(text.substr(start), lookup_);
    if (!offset) {
        return fail(offset.error(), key);
    }
    const std::string_view rest = trimmed(text.substr(start + offset->end));
    if (rest.empty() || rest.front() != '=') {
        return fail({"syntax error, unexpected " + (rest.empty() || rest.front() == ';'
                                                        ? std::string("end of line")
                                                        : quoted(rest.substr(0, 20))),
                     "expected '=' and a value behind " + quoted(key + "[...]")},
                    key);
    }
    auto value = evaluateValue(rest.substr(1), lookup_);
    if (!value && value.error().text == kNoValue) {
        return fail({"empty value", value.error().detail}, key);
    }
    if (!value) {
        return fail(value.error(), key);
    }
    result_.statements.push_back({Statement::Kind::array, key, offset->text, std::move(*value)});
    return true;
}

bool LineParser::scalar(std::string_view text) {
    const auto entry = splitWithInih(std::string(text));
    if (!entry) {
        return true;
    }
    if (!checkKey(entry->key, false)) {
        return false;
    }
    if (!entry->value) {
        return failWithoutValue(entry->key);
    }
    auto value = evaluateValue(*entry->value, lookup_);
    if (!value) {
        return fail(value.error(), entry->key);
    }
    result_.statements.push_back({Statement::Kind::entry, entry->key, {}, std::move(*value)});
    return true;
}

bool LineParser::checkKey(const std::string& key, bool array) {
    if (key.empty()) {
        return fail({"syntax error, unexpected '='", "expected a directive's name before it"});
    }
    const std::size_t bad = key.find_first_of(kNotInKey);
    if (bad != std::string::npos) {
        const std::string before(trimmed(std::string_view(key).substr(0, bad)));
        if (key[bad] == '\t' || key[bad] == ';') {
            return failWithoutValue(before);
        }
        return fail({"syntax error, unexpected " + quoted(key.substr(bad, 1)),
                     "found in a directive's name, expected 'name = value'"},
                    before);
    }
    if (!array && reservedWord(key)) {
        return fail({"syntax error, unexpected " + quoted(key),
                     "found a reserved word, expected a directive's name"});
    }
    return true;
}

}  // namespace

ParsedLine parseLine(std::string_view line, const VariableLookup& lookup) {
    line = line.substr(0, line.find('\0'));
    LineParser parser(lookup);
    while (!line.empty()) {
        const std::size_t end = findLineEnd(line);
        if (!parser.parse(line.substr(0, end))) {
            break;
        }
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return parser.take();
}

}  // namespace muster::config
