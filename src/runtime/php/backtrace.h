// Where PHP's engine keeps its stack: what a walk from outside needs to know.
#pragma once

#include "runtime/php/stack_walk.h"

namespace muster::php {

/// Of the engine in this process, and of every process forked from it.
[[nodiscard]] StackLayout engineLayout();

}  // namespace muster::php
