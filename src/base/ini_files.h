// Where PHP's ini files are, and whether this user can read them.
//
// Known outside the PHP runtime because php-fpm's configuration refers to php.ini (fpm.config,
// ${NAME}). Reads directories and opens files; never their contents. Any process.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace muster {

struct IniFiles {
    std::string path;           ///< file, or directories joined by ':' to look for php.ini in
    std::string scanDirectory;  ///< directories joined by ':'; empty: none
};

/// Where the php-fpm of the same PHP version looks for its php.ini.
[[nodiscard]] const std::string& iniDirectory();

/// The places php-fpm of this PHP version uses. `iniPath`: -c, or empty. PHPRC and
/// PHP_INI_SCAN_DIR of the environment count as they do there.
[[nodiscard]] IniFiles locateIniFiles(const std::string& iniPath, bool ignoreIni);

/// The engine goes on with defaults when it cannot open one of its files; this says which.
[[nodiscard]] Result<void> checkReadable(const IniFiles& files);

/// The files the engine would read, in its order: one php.ini at most, then the scanned ones.
[[nodiscard]] std::vector<std::string> listIniFiles(const IniFiles& files);

}  // namespace muster
