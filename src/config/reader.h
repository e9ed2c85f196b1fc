// Reads the main file and everything it includes into a draft: scopes, names, values, include.
//
// Collects every error of every file with its true line; checks between values come later
// (checks.h). Blocks on files. Nothing but reading.
#pragma once

#include "config/draft.h"

namespace muster::config {

[[nodiscard]] Draft readDraft(const ReadOptions& options);

}  // namespace muster::config
