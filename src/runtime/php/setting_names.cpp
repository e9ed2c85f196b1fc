// Takes lines apart at the first character that ends a name.
#include "runtime/php/setting_names.h"

#include <algorithm>

namespace muster::php {

namespace {

constexpr std::size_t kMostNames = 5;
constexpr std::size_t kLongestName = 64;

bool mayStandInName(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/// The name a line begins with; empty for blank lines, comments, sections and what is none.
std::string_view nameOf(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    const auto end = std::find_if_not(line.begin(), line.end(), mayStandInName);
    return line.substr(0, std::min(static_cast<std::size_t>(end - line.begin()), kLongestName));
}

}  // namespace

std::string settingNames(std::string_view text) {
    std::string names;
    std::size_t count = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view name = nameOf(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!name.empty() && count++ < kMostNames) {
            names.append(names.empty() ? "'" : ", '").append(name).append("'");
        }
    }
    if (count > kMostNames) {
        names.append(" and ").append(std::to_string(count - kMostNames)).append(" more");
    }
    return names;
}

}  // namespace muster::php
