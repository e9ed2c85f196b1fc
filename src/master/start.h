// From the command line to the event loop: preparation, -t, the way to the background.
#pragma once

#include "master/exit_status.h"
#include "master/preparation.h"

namespace muster::master {

/// Start to end of the service; the value is the process's exit status.
[[nodiscard]] int masterMain(const Invocation& invocation);

}  // namespace muster::master
