// What a request leaves in its worker that the engine does not take back. Some of it makes the
// worker unfit for the next request: a fatal want of memory, after which the engine's state is
// whatever the interrupted code left, and functions that change the process for good.
#pragma once

namespace muster::php {

/// Has `state` told of both from now on. Once, in the manager, when all extensions are there.
void watchProcessChanges();

/// Takes back what can be: at the end of a request, while functions can be called.
void forgetRequestChanges() noexcept;

}  // namespace muster::php
