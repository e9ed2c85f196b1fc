// Values of php.ini and of -d, for what php-fpm's configuration takes from there: the file named
// by fpm.config, and ${NAME}.
//
// The engine in the managers is what reads these files in earnest. Here nothing fails: a file that
// cannot be read, or a line that is not understood, gives no value.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ini_files.h"

namespace muster::config {

using IniValues = std::map<std::string, std::string>;

/// The last value of each name wins, -d over the files. Names are case-sensitive, as in the engine.
/// `definitions`: names and values of -d, the values as text of an ini file.
[[nodiscard]] IniValues readIniValues(
    const IniFiles& files, const std::vector<std::pair<std::string, std::string>>& definitions);

}  // namespace muster::config
