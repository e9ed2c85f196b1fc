// The environment variables a worker's scripts see (spec lifecycle §5.9). Child side, after fork.
#pragma once

#include "base/identity.h"
#include "config/settings.h"

namespace muster::manager {

/// clear_env, then env[] (values "$NAME" taken from the environment as it was), then USER and HOME
/// unless env[] names them. Changes the calling process.
void applyWorkerEnvironment(const config::PoolSettings& pool, const Identity& identity);

}  // namespace muster::manager
