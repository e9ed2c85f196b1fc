// Encoding requests and reading responses, whole and blocking.
#include "fastcgi/client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>

#include "fastcgi/record.h"

namespace muster::fastcgi {
namespace {

void appendLength(std::string& bytes, std::size_t length) {
    if (length >= 0x80) {
        bytes.push_back(static_cast<char>(0x80U | length >> 24U));
        bytes.push_back(static_cast<char>(length >> 16U & 0xffU));
        bytes.push_back(static_cast<char>(length >> 8U & 0xffU));
    }
    bytes.push_back(static_cast<char>(length & 0xffU));
}

// A stream of records of one type, without the empty one at its end.
void appendStream(std::string& bytes, RecordType type, std::uint16_t requestId,
                  std::string_view content, std::size_t recordSize) {
    while (!content.empty()) {
        const std::size_t length = std::min(content.size(), recordSize);
        appendRecord(bytes, type, requestId, content.substr(0, length), paddingFor(length));
        content.remove_prefix(length);
    }
}

Result<UniqueFd> connectToPath(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return plainError("the path " + path + " is too long for a unix socket");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
        return errnoError("connect(" + path + ")");
    }
    return fd;
}

Result<UniqueFd> connectToHost(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (failure != 0) {
        return plainError("cannot resolve " + host + ":" + port + ": " + ::gai_strerror(failure));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        UniqueFd fd(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (fd && ::connect(fd.get(), entry->ai_addr, entry->ai_addrlen) == 0) {
            return fd;
        }
    }
    return errnoError("connect(" + host + ":" + port + ")");
}

// False when the connection ends before all of it.
Result<bool> receiveAll(int fd, std::span<char> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (n < 0 && errno != EINTR) {
            return errnoError("recv");
        }
        if (n == 0) {
            return false;
        }
        bytes = bytes.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    return true;
}

}  // namespace

void appendRecord(std::string& bytes, RecordType type, std::uint16_t requestId,
                  std::string_view content, std::uint8_t padding) {
    std::array<char, kHeaderSize> header{};
    encodeHeader({.type = type,
                  .requestId = requestId,
                  .contentLength = static_cast<std::uint16_t>(content.size()),
                  .paddingLength = padding},
                 std::as_writable_bytes(std::span(header)));
    bytes.append(header.data(), header.size()).append(content).append(padding, '\0');
}

std::string encodePairs(const ClientParams& params) {
    std::string pairs;
    for (const auto& [name, value] : params) {
        appendLength(pairs, name.size());
        appendLength(pairs, value.size());
        pairs.append(name).append(value);
    }
    return pairs;
}

std::string encodeRequest(const ClientParams& params, std::string_view body, bool keepAlive,
                          int requestId, std::size_t recordSize) {
    const auto id = static_cast<std::uint16_t>(requestId);
    const std::size_t size = std::clamp(recordSize, std::size_t{1}, kMaxContent);
    const char begin[8] = {0, static_cast<char>(Role::responder),
                           static_cast<char>(keepAlive ? kKeepConnection : 0)};
    std::string bytes;
    appendRecord(bytes, RecordType::beginRequest, id, {begin, sizeof begin});
    appendStream(bytes, RecordType::params, id, encodePairs(params), size);
    appendRecord(bytes, RecordType::params, id, {});
    appendStream(bytes, RecordType::stdIn, id, body, size);
    appendRecord(bytes, RecordType::stdIn, id, {});
    return bytes;
}

Result<UniqueFd> connectTo(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (address.starts_with('/') || colon == std::string::npos) {
        return connectToPath(address);
    }
    std::string host = address.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    return connectToHost(host, address.substr(colon + 1));
}

Result<ClientResponse> readResponse(int fd) {
    ClientResponse response;
    for (;;) {
        std::array<char, kHeaderSize> head{};
        const auto more = receiveAll(fd, head);
        if (!more) {
            return tl::make_unexpected(more.error());
        }
        if (!*more) {
            return response;
        }
        const RecordHeader header = decodeHeader(std::as_bytes(std::span(head)));
        std::string content(std::size_t{header.contentLength} + header.paddingLength, '\0');
        const auto whole = receiveAll(fd, content);
        if (!whole) {
            return tl::make_unexpected(whole.error());
        }
        if (!*whole) {
            return plainError("the connection ended inside a record");
        }
        content.resize(header.contentLength);
        if (header.type == RecordType::stdOut) {
            response.out += content;
        } else if (header.type == RecordType::stdErr) {
            response.err += content;
        } else if (header.type == RecordType::endRequest && content.size() == 8) {
            const auto byteAt = [&](std::size_t i) {
                return static_cast<int>(static_cast<unsigned char>(content[i]));
            };
            response.appStatus = byteAt(0) << 24 | byteAt(1) << 16 | byteAt(2) << 8 | byteAt(3);
            response.protocolStatus = byteAt(4);
            return response;
        } else {
            return plainError("an unexpected record of type " +
                              std::to_string(static_cast<unsigned>(header.type)));
        }
    }
}

}  // namespace muster::fastcgi
