// How the facts of a log line say that something is not there. Any process; pure.
#pragma once

namespace muster::log {

/// Null for an empty text, too: whoever keeps facts in fixed places has no other way to say it.
[[nodiscard]] inline const char* orNull(const char* text) {
    return text == nullptr || *text == '\0' ? nullptr : text;
}

}  // namespace muster::log
