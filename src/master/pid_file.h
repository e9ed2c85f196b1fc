// The pid file: written once the listening sockets stand, removed at a normal end.
#pragma once

#include <string>

#include "base/result.h"

namespace muster::master {

/// unlink, then create with mode 0644 & ~umask; the decimal pid without newline (spec
/// lifecycle §2). An empty path is no pid file.
Result<void> writePidFile(const std::string& path);
Result<void> removePidFile(const std::string& path);

}  // namespace muster::master
