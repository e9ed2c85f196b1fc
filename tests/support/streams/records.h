// Records as bytes, for tests that build streams by hand.
#pragma once

#include <string>
#include <string_view>

#include "fastcgi/client.h"
#include "fastcgi/params.h"

namespace muster::fastcgi::streams {

/// What the model and the reader under test are held to.
inline constexpr ParamsLimits kSmallLimits{.totalBytes = 4000, .count = 20};

inline std::string record(RecordType type, std::uint16_t id, std::string_view content = {},
                          std::uint8_t padding = 0) {
    std::string bytes;
    appendRecord(bytes, type, id, content, padding);
    return bytes;
}

inline std::string begin(std::uint16_t id, int role = 1, int flags = 1, std::size_t length = 8) {
    std::string content(length, '\0');
    content[1] = static_cast<char>(role);
    content[2] = static_cast<char>(flags);
    return record(RecordType::beginRequest, id, content);
}

}  // namespace muster::fastcgi::streams
