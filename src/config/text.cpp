// Text helpers.
#include "config/text.h"

#include <algorithm>

namespace muster::config {

namespace {

std::string escaped(std::string_view text, std::size_t longest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string result;
    for (const char c : text.substr(0, longest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            result += "\\x";
            result += kDigits[byte >> 4U];
            result += kDigits[byte & 0x0fU];
        } else {
            result += c;
        }
    }
    if (text.size() > longest) {
        result += "...";
    }
    return result;
}

}  // namespace

std::string shown(std::string_view text) {
    return escaped(text, 120);
}

std::string verbatim(std::string_view text) {
    return escaped(text, 2047);
}

std::string quoted(std::string_view text) {
    return "'" + shown(text) + "'";
}

std::string where(const Origin& origin) {
    return "[" + verbatim(origin.file) + ":" + std::to_string(origin.line) + "]";
}

bool isBlank(char c) {
    return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && isBlank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && isBlank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::vector<std::string> pieces(std::string_view text, char separator) {
    std::vector<std::string> found;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        found.emplace_back(trimmed(text.substr(0, end)));
        if (end + 1 == text.size()) {
            found.emplace_back();  // behind a separator that ends the text
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

std::string lowered(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

}  // namespace muster::config
