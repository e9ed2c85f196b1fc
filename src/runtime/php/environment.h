// $_SERVER, $_ENV and getenv() (request-environment.md §4).
#pragma once

#include "runtime/php/engine.h"

namespace muster::php {

/// Puts the parameters behind the engine's two environment hooks. Once per process.
void installEnvironmentHooks() noexcept;

/// SAPI callback getenv: parameter first, then the process's environment.
char* getVariable(const char* name, std::size_t length) noexcept;

/// SAPI callback register_server_variables.
void registerServerVariables(zval* server) noexcept;

/// SAPI callback read_cookies.
char* readCookies() noexcept;

}  // namespace muster::php
