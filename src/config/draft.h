// A configuration while it is being read: the settings plus what was written where.
//
// Plain data, shared by the reader and the checks; thrown away when the outcome is handed over.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"
#include "config/directives.h"

namespace muster::config {

/// Which directives of one scope were written, and which of these could not be read. Keys are
/// names of the table.
struct Marks {
    std::map<std::string_view, Origin> written;
    std::set<std::string_view> failed;
};

struct PoolDraft {
    PoolSettings settings;
    Marks marks;
};

/// Bytes that $pool and ${NAME} may add to all values together: short lines must not become more
/// than memory holds.
inline constexpr std::size_t kMostExpanded = 64U << 20U;

struct Draft {
    GlobalSettings global;
    Marks globalMarks;
    std::vector<PoolDraft> pools;
    std::vector<Message> messages;
    std::size_t early = 0;  ///< of the messages: these come before the error log is opened
    bool parsed = true;
    bool processed = true;
    bool sectionsLost = false;  ///< a file or a section header could not be read: pools may lack
    std::size_t expansionLeft = kMostExpanded;
};

[[nodiscard]] bool hasErrors(const std::vector<Message>& messages);

}  // namespace muster::config
