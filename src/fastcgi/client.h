// A small blocking FastCGI client: for tests and tools, not for the request path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fastcgi/record.h"

namespace muster::fastcgi {

struct ClientResponse {
    std::string out;
    std::string err;
    int appStatus = -1;  ///< -1: no END_REQUEST came
    int protocolStatus = -1;
};

using ClientParams = std::vector<std::pair<std::string, std::string>>;

/// One record of at most 65535 bytes of content, for those who build streams by hand.
void appendRecord(std::string& bytes, RecordType type, std::uint16_t requestId,
                  std::string_view content, std::uint8_t padding = 0);

/// The content of a PARAMS stream.
[[nodiscard]] std::string encodePairs(const ClientParams& params);

/// Bytes of a whole request: BEGIN, PARAMS (split at `recordSize`), empty PARAMS, STDIN, empty
/// STDIN.
[[nodiscard]] std::string encodeRequest(const ClientParams& params, std::string_view body,
                                        bool keepAlive, int requestId = 1,
                                        std::size_t recordSize = 32768);

/// Connects to a unix path or "host:port".
[[nodiscard]] Result<UniqueFd> connectTo(const std::string& address);

/// Reads records until END_REQUEST or the end of the connection.
[[nodiscard]] Result<ClientResponse> readResponse(int fd);

}  // namespace muster::fastcgi
