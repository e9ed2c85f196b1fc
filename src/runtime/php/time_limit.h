// Ends a script whose request takes longer than it may (request_terminate_timeout).
//
// The engine looks at its interrupt flag at every call of a script's function and in every loop.
// What then happens to the script is what max_execution_time does: a fatal error, so no catch or
// finally of the script's runs, but its shutdown functions do.
#pragma once

namespace muster::php {

/// Once per process, when all extensions are loaded.
void installInterrupt();

/// Makes the engine look at the time soon. Async-signal-safe.
void interruptEngine() noexcept;

/// When the time is up: raises the fatal error, once per request, and does not return unless the
/// engine has no frame to leave to.
void endScriptWhenLate() noexcept;

}  // namespace muster::php
