// Settings that depend on host and directory: [HOST=], [PATH=] and .user.ini files
// (request-environment.md §6.4).
#pragma once

namespace muster::php {

/// SAPI callback activate: applies them to the request that is starting.
int activateDirectorySettings() noexcept;

}  // namespace muster::php
