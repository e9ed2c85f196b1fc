// The extension `cgi-fcgi` that every FPM script finds: ini settings and functions
// (request-environment.md §6.1, §9).
#pragma once

#include "runtime/php/engine.h"

namespace muster::php {

/// The module's ini settings.
struct ModuleSettings {
    bool rfc2616Headers;
    bool nph;
    bool fixPathinfo;
    bool discardPath;
    bool logging;
    bool forceRedirect;
    char* errorHeader;
    char* redirectStatusEnv;
    char* fpmConfig;
};

extern ModuleSettings moduleSettings;
extern zend_module_entry moduleEntry;

/// Before the engine starts: scripts shall find headers_send().
void offerEarlyHints() noexcept;

}  // namespace muster::php
