// Which PHP versions are known to let a request see something of the one before it on the same
// worker: what the engine itself leaves, and no way of running it can mend. Knows no PHP.
#pragma once

#include <string>
#include <vector>

namespace muster::php {

/// One sentence for each hole of a version (PHP_VERSION_ID: 80235 is 8.2.35). A version says
/// nothing about what its packager has mended.
[[nodiscard]] std::vector<std::string> knownHoles(long versionId);

}  // namespace muster::php
