// Texts in CBOR documents: paths, names and -d values are bytes, not always UTF-8, so they travel
// as byte strings. Master and manager; pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace muster::manager {

[[nodiscard]] inline nlohmann::json bytesOf(const std::string& text) {
    return nlohmann::json::binary({text.begin(), text.end()});
}

/// Throws what nlohmann::json throws when it is no byte string.
[[nodiscard]] inline std::string textOf(const nlohmann::json& value) {
    const auto& bytes = value.get_binary();
    return {bytes.begin(), bytes.end()};
}

}  // namespace muster::manager
