// Ends a script whose request takes longer than it may (request_terminate_timeout), or whose client
// has left (request_abort_on_disconnect).
//
// The engine looks at its interrupt flag at every call of a script's function and in every loop.
// What then happens to a late script is what max_execution_time does: a fatal error, so no catch or
// finally of the script's runs, but its shutdown functions do. To one without a client happens what
// output to nobody does: it ends unless it ignores that.
#pragma once

namespace muster::php {

/// Once per process, when all extensions are loaded.
void installInterrupt();

/// Makes the engine look at both soon. Async-signal-safe, and safe in any thread.
void interruptEngine() noexcept;

/// When the time is up: raises the fatal error, once per request, and does not return unless the
/// engine has no frame to leave to.
void endScriptWhenLate() noexcept;

/// ignore_user_abort is on. As safe as interruptEngine().
[[nodiscard]] bool scriptIgnoresAbort() noexcept;

}  // namespace muster::php
