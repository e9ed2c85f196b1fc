// The start of a pool manager process: main() comes here when it was started by a master.
#pragma once

namespace muster::manager {

/// The whole life of a manager; the value is the process's exit status.
[[nodiscard]] int managerMain();

}  // namespace muster::manager
