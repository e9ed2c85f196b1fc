// Small checkers of what the status page must be in each format.
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "input.h"

namespace muster::fuzz {

inline bool isUtf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t more = byte(i) < 0x80                       ? 0
                                 : byte(i) >= 0xC2 && byte(i) <= 0xDF ? 1
                                 : byte(i) >= 0xE0 && byte(i) <= 0xEF ? 2
                                 : byte(i) >= 0xF0 && byte(i) <= 0xF4 ? 3
                                                                      : 9;
        if (more == 9 || text.size() - i <= more) {
            return false;
        }
        for (std::size_t k = 1; k <= more; ++k) {
            if ((byte(i + k) & 0xC0U) != 0x80) {
                return false;
            }
        }
        const unsigned second = more > 1 ? byte(i + 1) : 0;
        if ((byte(i) == 0xE0 && second < 0xA0) || (byte(i) == 0xED && second > 0x9F) ||
            (byte(i) == 0xF0 && second < 0x90) || (byte(i) == 0xF4 && second > 0x8F)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

/// Besides newlines.
inline bool hasControl(std::string_view text, bool tabsAllowed = false) {
    return std::any_of(text.begin(), text.end(), [&](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && !(tabsAllowed && c == '\t')) ||
               c == 0x7f;
    });
}

/// Elements nested and closed, nothing else that begins with '<', five named references only.
class Markup {
  public:
    explicit Markup(std::string_view page) : rest_(page) {}

    void check() {
        const std::string page(rest_);
        hold(isUtf8(rest_), "markup is UTF-8", page);
        hold(!hasControl(rest_), "no control characters", page);
        while (!rest_.empty()) {
            rest_.front() == '<' ? tag() : text();
        }
        hold(open_.empty(), "every element is closed", page);
    }

  private:
    void tag() {
        const std::size_t end = rest_.find('>');
        hold(end != std::string_view::npos, "a tag ends", rest_);
        std::string_view inside = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        if (inside.starts_with("?xml ") || inside.starts_with("!DOCTYPE ")) {
            hold(open_.empty(), "declarations come first", inside);
            return;
        }
        const bool closes = inside.starts_with('/');
        inside.remove_prefix(closes ? 1 : 0);
        const std::string name(inside.substr(0, inside.find(' ')));
        hold(!name.empty() &&
                 name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos,
             "a tag of ours", name);
        if (closes) {
            hold(!open_.empty() && open_.back() == name, "the innermost is closed", name);
            open_.pop_back();
        } else {
            open_.push_back(name);
        }
    }

    void text() {
        const std::string_view words = rest_.substr(0, rest_.find('<'));
        rest_.remove_prefix(words.size());
        hold(words.find('>') == std::string_view::npos, "text is escaped", words);
        for (std::size_t at = words.find('&'); at != std::string_view::npos;
             at = words.find('&', at + 1)) {
            const std::string_view name = words.substr(at, words.find(';', at) - at + 1);
            hold(name == "&amp;" || name == "&lt;" || name == "&gt;" || name == "&quot;",
                 "a reference everybody knows", name);
        }
    }

    std::string_view rest_;
    std::vector<std::string> open_;
};

inline std::vector<std::string_view> linesOf(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// `name` or `name{label="value",…}`, a space, a number.
inline bool isSample(std::string_view line) {
    const auto isName = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
    };
    std::size_t at = 0;
    const auto takeName = [&] {
        const std::size_t start = at;
        while (at < line.size() && isName(line[at])) {
            ++at;
        }
        return at > start;
    };
    const auto take = [&](char c) { return at < line.size() && line[at] == c && ++at > 0; };
    if (!takeName()) {
        return false;
    }
    if (take('{')) {
        do {
            if (!takeName() || !take('=') || !take('"')) {
                return false;
            }
            while (at < line.size() && line[at] != '"') {
                if (line[at] == '\\' &&
                    (++at == line.size() ||
                     std::string_view("\\\"n").find(line[at]) == std::string_view::npos)) {
                    return false;
                }
                ++at;
            }
            if (!take('"')) {
                return false;
            }
        } while (take(','));
        if (!take('}')) {
            return false;
        }
    }
    return take(' ') && at < line.size() &&
           line.substr(at).find_first_not_of("0123456789.") == std::string_view::npos;
}

inline void checkOpenMetrics(std::string_view page) {
    hold(isUtf8(page) && !hasControl(page), "printable UTF-8", page);
    hold(page.ends_with("\n# EOF\n"), "ends with EOF", page);
    const auto lines = linesOf(page);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
        const std::string_view line = lines[i];
        hold(line.starts_with("# HELP ") || line.starts_with("# TYPE ") ||
                 line.starts_with("# UNIT ") || isSample(line),
             "a line of OpenMetrics", line);
    }
}

}  // namespace muster::fuzz
