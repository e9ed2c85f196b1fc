// The SAPI `fpm-fcgi`: the engine's callbacks, connected to the request at hand.
#pragma once

#include "runtime/php/engine.h"

namespace muster::php {

/// The description handed to the engine; fields that depend on the configuration are the
/// caller's.
extern sapi_module_struct sapiModule;

}  // namespace muster::php
