// Peeks, and has the framing judge.
#include "manager/head_sight.h"

#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <string>

#include "base/io.h"
#include "base/shared_memory.h"

namespace muster::manager {
namespace {

/// Longer ones are no page's: workers read them.
constexpr std::size_t kMaxHead = std::size_t{64} << 10;

}  // namespace

HeadSight::Sight HeadSight::look(const worker::ParkedConnection& parked) {
    std::string head;
    if (parked.head) {
        auto text = readDescriptor(parked.head.get(), kMaxHead);
        if (!text) {
            return Sight::unclear;
        }
        head = std::move(*text);
    }
    seen_ = 0;
    if (!reader_.resume(head, {parked.facts.requestId, parked.facts.lateData != 0})) {
        return Sight::unclear;
    }
    const std::span<char> room = reader_.room();
    const ssize_t n =
        ::recv(parked.connection.get(), room.data(), room.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return Sight::nothing;
    }
    if (n <= 0) {
        return Sight::gone;
    }
    seen_ = static_cast<std::size_t>(n);
    reader_.received(seen_);
    switch (reader_.readHead()) {
        case fastcgi::RequestReader::Progress::request:
            return Sight::request;
        case fastcgi::RequestReader::Progress::needMore:
            return seen_ < room.size() && head.size() + seen_ < kMaxHead && reader_.headBegun()
                       ? Sight::partial
                       : Sight::unclear;
        case fastcgi::RequestReader::Progress::violation:
            return Sight::garbage;
        default:
            return Sight::unclear;
    }
}

bool HeadSight::absorb(worker::ParkedConnection& parked) {
    auto sealed = createSealedContent("muster-head", reader_.partialHead());
    if (!sealed) {
        return false;
    }
    std::string seen(seen_, '\0');
    const ssize_t n = ::recv(parked.connection.get(), seen.data(), seen.size(), MSG_DONTWAIT);
    if (n != static_cast<ssize_t>(seen_)) {
        return false;  // nobody else reads, so it is the end of this connection
    }
    parked.head = std::move(*sealed);
    parked.facts.headBegun = 1;
    return true;
}

}  // namespace muster::manager
