// The access list of a socket's file: who may connect beside its owner and group.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace muster {

/// Adds an entry with read and write for each user and group to the file at `path`, and widens the
/// mask accordingly. Messages name the socket as `shown` (spec config §10). Never a half list.
Result<void> addToSocketAcl(const std::string& path, const std::string& shown,
                            const std::vector<uid_t>& users, const std::vector<gid_t>& groups);

/// Makes these the only entries beside those of `mode`, in one act; without any the list is
/// gone, and a file system that knows no lists will do.
Result<void> replaceSocketAcl(const std::string& path, const std::string& shown, mode_t mode,
                              const std::vector<uid_t>& users, const std::vector<gid_t>& groups);

}  // namespace muster
