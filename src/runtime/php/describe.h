// The texts of -v, -i and -m (cli-and-lifecycle.md §1.2).
#pragma once

#include "worker/runtime.h"

namespace muster::php {

/// Prints to stdout, in a process that has started the engine; the exit code.
int printDescription(Description what) noexcept;

}  // namespace muster::php
