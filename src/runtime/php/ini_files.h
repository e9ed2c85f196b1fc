// Where the engine finds its ini files, and whether this user can read them.
#pragma once

#include <string>

#include "base/result.h"

namespace muster::php {

struct IniFiles {
    std::string path;           ///< file, or directories joined by ':' to look for php.ini in
    std::string scanDirectory;  ///< directories joined by ':'; empty: none
};

/// The places php-fpm of this PHP version uses. `iniPath`: -c, or empty. PHPRC and
/// PHP_INI_SCAN_DIR of the environment count as they do there.
[[nodiscard]] IniFiles locateIniFiles(const std::string& iniPath, bool ignoreIni);

/// The engine goes on with defaults when it cannot open one of its files; this says which.
[[nodiscard]] Result<void> checkReadable(const IniFiles& files);

}  // namespace muster::php
