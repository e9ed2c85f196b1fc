// How bytes that could forge or break a line of text are shown: \xHH.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

/// C0 controls and DEL. Bytes above 0x7F pass: they are UTF-8, or at worst unreadable.
[[nodiscard]] constexpr bool isControl(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
}

inline constexpr std::size_t kEscapedSize = 4;

[[nodiscard]] constexpr std::array<char, kEscapedSize> escape(char c) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

inline void appendEscaped(std::string& text, char c) {
    text.append(escape(c).data(), kEscapedSize);
}

/// The text with all its control bytes shown so.
[[nodiscard]] inline std::string escaped(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    for (const char c : text) {
        if (isControl(c)) {
            appendEscaped(shown, c);
        } else {
            shown += c;
        }
    }
    return shown;
}

}  // namespace muster
