// Rules on addresses: what a pool listens on, for requests and for its status.
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <map>

#include "base/listen_address.h"
#include "config/checks.h"
#include "config/text.h"

namespace muster::config {
namespace {

/// php-fpm serves pm.status_listen by a pool of its own; its messages carry this name.
std::string statusPoolName(const PoolSettings& pool) {
    return pool.name + "_status";
}

std::string inPool(const std::string& name) {
    return "[pool " + verbatim(name) + "] ";
}

constexpr const char* kNoAddress = "no listen address have been defined!";

}  // namespace

void checkListen(CheckContext& context) {
    if (context.pool->listen.empty()) {
        context.report(LogLevel::alert, kNoAddress,
                       "expected listen = ADDRESS in " + context.section());
    }
}

void checkStatusListen(CheckContext& context) {
    if (context.written("pm.status_listen") && context.pool->statusListen.empty()) {
        context.reportBare(LogLevel::alert, inPool(statusPoolName(*context.pool)) + kNoAddress,
                           context.found("pm.status_listen", "") +
                               ", expected an address, or no pm.status_listen line");
    }
}

/// Whoever makes the socket reads the octal digits at the start, as php-fpm does.
void checkListenMode(CheckContext& context) {
    const std::string& text = context.pool->listenMode;
    constexpr unsigned long kLargest = 07777;
    const unsigned long mode = std::strtoul(text.c_str(), nullptr, 8);
    if (text.find_first_not_of("01234567") == std::string::npos && mode <= kLargest) {
        return;
    }
    std::array<char, 24> octal{};
    const auto end = std::to_chars(octal.data(), octal.data() + octal.size(), mode & kLargest, 8);
    context.report(LogLevel::warning, "listen.mode '" + verbatim(text) + "' is not a file mode",
                   context.found("listen.mode", text) + ", read as 0" +
                       std::string(octal.data(), end.ptr) + ", expected octal digits such as 0660");
}

void checkAddressesDiffer(Draft& draft) {
    struct Owner {
        std::string pool;
        Origin origin;
    };
    std::map<std::string_view, Owner> owners;
    const auto claim = [&](const std::string& address, const Marks& marks, const char* directive,
                           const std::string& pool) {
        const auto line = marks.written.find(directive);
        if (address.empty() || line == marks.written.end()) {
            return;
        }
        const auto [owner, isNew] = owners.emplace(address, Owner{pool, line->second});
        if (!isNew) {
            draft.messages.push_back(
                {LogLevel::error,
                 inPool(pool) +
                     "unable to set listen address as it's already used in another pool '" +
                     verbatim(owner->second.pool) + "'",
                 quoted(address) + " at " + where(line->second) + " and " +
                     where(owner->second.origin) +
                     ", expected an address of its own for every pool"});
        }
    };
    for (const PoolDraft& pool : draft.pools) {
        claim(pool.settings.listen, pool.marks, "listen", pool.settings.name);
    }
    for (const PoolDraft& pool : draft.pools) {
        claim(pool.settings.statusListen, pool.marks, "pm.status_listen",
              statusPoolName(pool.settings));
    }
}

namespace {

void checkUsable(const CheckContext& context, const char* directive, const std::string& value,
                 const std::string& pool) {
    if (value.empty()) {
        return;
    }
    const ListenAddress address = parseListenAddress(value);
    if (address.kind == ListenAddress::Kind::unixPath) {
        if (address.path.size() > kMaxUnixPath) {
            context.reportBare(
                LogLevel::error,
                inPool(pool) + "cannot bind to UNIX socket '" + verbatim(value) +
                    "' as path is too long (found length: " + std::to_string(value.size()) +
                    ", maximal length: " + std::to_string(kMaxUnixPath) +
                    "): " + errnoText(ENAMETOOLONG) + " (" + std::to_string(ENAMETOOLONG) + ")",
                context.found(directive, value));
        }
        return;
    }
    int port = 0;
    const char* end = address.port.data() + address.port.size();
    const auto parsed = std::from_chars(address.port.data(), end, port);
    if (parsed.ec != std::errc{} || parsed.ptr != end || port < 1 || port > 65535) {
        context.reportBare(LogLevel::error, "invalid port value '" + verbatim(address.port) + "'",
                           context.found(directive, value) + ", expected a port from 1 to 65535");
    }
}

}  // namespace

void checkAddressesUsable(CheckContext& context) {
    const PoolSettings& pool = *context.pool;
    checkUsable(context, "listen", pool.listen, pool.name);
    checkUsable(context, "pm.status_listen", pool.statusListen, statusPoolName(pool));
}

}  // namespace muster::config
