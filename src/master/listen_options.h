// What a pool wants of its listening sockets: backlog, and mode, owner and ACL of their files (spec
// config §10, lifecycle §6.1). Master side; may block on user databases.
#pragma once

#include "base/listen_socket.h"
#include "base/log_level.h"
#include "base/result.h"
#include "config/settings.h"

namespace muster::master {

/// listen.mode, .owner, .group and .acl_*: for unix sockets. ACL entries win over owner and group.
[[nodiscard]] Result<ListenOptions> resolveListenOptions(const config::PoolSettings& pool,
                                                         const Say& say);

}  // namespace muster::master
