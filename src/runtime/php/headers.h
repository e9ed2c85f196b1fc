// The response's header block in CGI form (request-environment.md §8).
#pragma once

#include <string_view>

#include "runtime/php/engine.h"

namespace muster::php {

/// SAPI callback send_headers: writes status line, headers and the empty line to the peer.
int sendHeaders(sapi_headers_struct* headers) noexcept;

/// Sends the headers set so far as a response 103 of their own, ahead of the real one, in which
/// they are again. False when nothing was sent.
bool sendEarlyHints() noexcept;

/// Value of a response header set so far, by its exact name; empty when there is none.
std::string_view responseHeader(std::string_view name) noexcept;

}  // namespace muster::php
